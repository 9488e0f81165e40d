"""fastai and torch: networks, their data, training, inference and export. No Kedro in here.

A package imports only what stands before it: networks, data, training, distributed; networks, data, inference, export.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
