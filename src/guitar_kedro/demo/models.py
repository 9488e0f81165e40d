"""The eleven models by name."""

from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from guitar_kedro.demo import fender, gibson
from guitar_kedro.demo.guitar import Guitar

BUILDERS: Mapping[str, Callable[[Random], Guitar]] = MappingProxyType(
    {
        "fender_jaguar": fender.jaguar,
        "fender_jazzmaster": fender.jazzmaster,
        "fender_mustang": fender.mustang,
        "fender_stratocaster": fender.stratocaster,
        "fender_telecaster": fender.telecaster,
        "gibson_ES": gibson.semi_hollow,
        "gibson_Flying_V": gibson.flying_v,
        "gibson_SG": gibson.sg,
        "gibson_explorer": gibson.explorer,
        "gibson_firebird": gibson.firebird,
        "gibson_les_paul": gibson.les_paul,
    }
)
MODELS: tuple[str, ...] = tuple(BUILDERS)
