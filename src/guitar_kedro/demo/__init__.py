"""The drawn demo set: pictures of eleven electric guitar models and of other things, made from numbers alone."""

from guitar_kedro.demo.models import MODELS
from guitar_kedro.demo.others import OTHERS, draw_other
from guitar_kedro.demo.scene import draw_guitar

__all__ = ["MODELS", "OTHERS", "draw_guitar", "draw_other"]
