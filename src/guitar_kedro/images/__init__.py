"""One picture: reading it safely, preparing it, hashing it, drawing a demo guitar."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach_stub(__name__, __file__)
