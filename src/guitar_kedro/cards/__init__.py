"""What is written of a model for people: the model card with its templates, and the summary on the console."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
