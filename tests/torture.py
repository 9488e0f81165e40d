"""How often tests kill, and from which seed the moments come: ``make torture KILLS=100 SEED=1``."""

import os

KILLS, SEED = int(os.environ.get("KILLS", "2")), int(os.environ.get("SEED", "0"))
PRECISIONS = ("bfloat16",) if KILLS < 10 else ("bfloat16", "float32")
