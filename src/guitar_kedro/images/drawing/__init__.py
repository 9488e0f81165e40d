"""The drawn demo set: pictures of eleven electric guitar models, made from numbers alone."""

from guitar_kedro.images.drawing.models import MODELS
from guitar_kedro.images.drawing.scene import draw_guitar

__all__ = ["MODELS", "draw_guitar"]
