"""Refuse answers with which there would be no project that works."""

import json
import re
import sys

ANSWERS = json.loads(r"""{{ cookiecutter | jsonify }}""")

# what both Python and pip take for a name
if not re.fullmatch(r"[a-z]([a-z0-9_]*[a-z0-9])?", ANSWERS["python_package"]):
    sys.exit(
        f"python_package would be {ANSWERS['python_package']!r}: a package begins with a letter from a to z, and goes "
        "on with such letters, digits and '_'. Choose another project_name, or name a python_package in --config."
    )
# a file of YAML makes a truth value of `demo: no`
if str(ANSWERS["demo"]).lower() not in ("y", "yes", "true", "n", "no", "false"):
    sys.exit(f"demo is {ANSWERS['demo']!r}; choose yes or no.")
