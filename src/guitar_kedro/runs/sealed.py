"""The labels of the sealed test part: whoever gets them has left a line in the log before."""

from __future__ import annotations

from collections.abc import Callable

import lazy_loader as lazy

from guitar_kedro.errors import UserError

pd = lazy.load("pandas")


class SealedLabels:
    """The labels of the test part, in exchange for predictions of it."""

    def __init__(self, labels: pd.Series, note: Callable[[pd.DataFrame], None]) -> None:
        """Seals the labels.

        Args:
            labels: By ``image_id``.
            note: Adds rows to the log of openings.
        """
        self._labels, self._note = labels, note

    def open(self, predictions: pd.DataFrame, model_version: str, stage: str) -> pd.Series:
        """Notes in the log what was predicted and how much of it is right, and only then gives the labels.

        So no prediction of the test part is ever judged without a line, however the run was started and wherever it is
        killed.

        Args:
            predictions: ``image_id`` and ``predicted`` of each image of the test part.
            model_version: Beginning of the checksum of the model that predicted.
            stage: The last stage of that model.

        Returns:
            The labels by ``image_id``.

        Raises:
            UserError: If the predictions are not of these very images.
            DatasetError: If the log cannot be written; the labels stay sealed.
        """
        if set(predictions["image_id"]) != set(self._labels.index):
            raise UserError(
                "The predictions are not of the images of the test part: run `kedro run --pipeline=splitting` first."
            )
        labels = self._labels.loc[predictions["image_id"]]
        images, errors = len(labels), int((labels.to_numpy() != predictions["predicted"].to_numpy()).sum())
        line = {"model_version": model_version, "stage": stage, "images": images, "errors": errors}
        self._note(pd.DataFrame([{**line, "accuracy": 1 - errors / images}]))
        return self._labels
