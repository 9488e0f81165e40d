"""Nodes of publishing."""

from __future__ import annotations

import logging

from guitar_kedro import cards, learning, metrics
from guitar_kedro.datasets.publishing import CARD_FILE
from guitar_kedro.errors import UserError
from guitar_kedro.lazy import pd
from guitar_kedro.learning.export.bundle import PAGE_FILE
from guitar_kedro.pipelines.publish.options import PublishOptions

logger = logging.getLogger(__name__)


def make_publication(
    bundle: learning.Bundle, latest_model_card_markdown: str, test_log: pd.DataFrame, options: PublishOptions
) -> dict[str, bytes]:
    """Put together what is sent: the bundle, and its card as the hub reads it.

    The card as a page stays here, for it shows pictures of the dataset, which are other people's.

    Returns:
        Contents of files by name.

    Raises:
        UserError: If the latest model card is not about the model of the bundle.
    """
    spec = bundle.checkpoint.spec
    if spec.checksum not in latest_model_card_markdown:
        raise UserError(
            "There is no model card of the exported model: `kedro run` makes it, with which the model can be published."
        )
    files = bundle.contents()
    if files.pop(PAGE_FILE, None):
        logger.info("%s stays here, for it shows pictures of the dataset; %s says the same", PAGE_FILE, CARD_FILE)
    test = metrics.errors_on_test(test_log, spec.checksum)
    card = cards.hub_card(latest_model_card_markdown, spec, test, options.license, options.datasets)
    return {CARD_FILE: card.encode(), **files}
