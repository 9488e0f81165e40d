"""How often tests torture, and from which seed the moments come: ``make torture KILLS=100 SEED=1``."""

import os

KILLS, SEED = int(os.environ.get("KILLS", "2")), int(os.environ.get("SEED", "0"))
PRECISIONS = ("float32",) if KILLS < 10 else ("float32", "bfloat16")
