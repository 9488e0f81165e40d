"""How often tests kill, and from which seed the moments come: ``make torture KILLS=100 SEED=1``."""

import os

KILLS, SEED = int(os.environ.get("KILLS", "4")), int(os.environ.get("SEED", "0"))
