"""Datasets that are only read."""

from __future__ import annotations

from typing import Any, ClassVar

from kedro.io import AbstractDataset

from guitar_kedro.errors import UserError


class ReadOnlyDataset(AbstractDataset[None, Any]):
    """A dataset that is only read; there is always something to load, be it empty, unless a subclass says otherwise."""

    REFUSAL: ClassVar[str]  # why nothing is saved; the dataset stands in for {0}
    _init_args: dict[str, Any]  # from which Kedro made it

    def save(self, data: None) -> None:
        """Refuse.

        Raises:
            UserError: Always.
        """
        raise UserError(self.REFUSAL.format(self))

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {name: value for name, value in self._init_args.items() if name != "metadata"}
