"""Collecting openly licensed pictures: sources that are searched, licences, and what was asked and kept already."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
