"""What a user did or gave that cannot work, said in one sentence."""

from __future__ import annotations

from collections.abc import Sequence

from guitar_kedro.session import with_session


def listed(names: Sequence[str], most: int = 5) -> str:
    """Name some of many things in a sentence, and say how many more there are.

    Args:
        names: What is listed, in order.
        most: How many are named.
    """
    shown = ", ".join(names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most:,} more"


class UserError(Exception):
    """A mistake that the user can mend.

    The message is one or two sentences: what was wrong, where (file, parameter, value), and what to do next.
    The command line prints it in one line, without a traceback, and exits with a code that is not 0. Commands that it
    names in backticks are shown with the environment and the workspace of the session.
    """

    def __str__(self) -> str:
        """Return the sentences, with commands that can be typed as they stand."""
        return with_session(super().__str__())
