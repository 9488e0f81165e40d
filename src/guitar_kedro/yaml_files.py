"""What is wrong with a file of the configuration."""

from __future__ import annotations

import io

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import MarkedYAMLError, YAMLError

from guitar_kedro.errors import UserError


def check_yaml(path: str, content: bytes) -> None:
    """Look for mistakes in a file of the configuration.

    Args:
        path: Of the file, for the message.
        content: Of the file.

    Raises:
        UserError: If it is not UTF-8, no YAML, or holds anything but names with values; it names the line.
    """
    try:
        config = OmegaConf.load(io.StringIO(content.decode("utf-8")))
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        wrong = f"0x{content[error.start]:02x}, byte {error.start + 1} of the file, is no UTF-8: save it as UTF-8"
        raise UserError(f"{path}, line {line}: {wrong}.") from None
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(filter(None, (error.context, error.problem)))
        raise UserError(f"{path}, line {mark.line + 1}: this is no YAML that can be read ({words}); mend it.") from None
    except YAMLError as error:  # a character that YAML does not allow
        raise UserError(f"{path} is no YAML that can be read ({' '.join(str(error).split())}); mend it.") from None
    except OmegaConfBaseException as error:  # such as a name that is read as nothing
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"{path} cannot be read ({reason}); mend it.") from None
    except RecursionError:
        raise UserError(f"{path} has groups within groups within groups, too many to be read; mend it.") from None
    except OSError:  # so omegaconf says that it is a single value
        config = None
    if not isinstance(config, DictConfig):
        raise UserError(f"{path} must hold names with values, as in `name: value`, and nothing else.")
