"""Experiments on a page that needs nothing but itself."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from markupsafe import Markup

from guitar_kedro import plots
from guitar_kedro.cards.comparison import changes, explanations, head_and_rows, heading, warnings
from guitar_kedro.cards.rendering import render
from guitar_kedro.metrics.experiments import Experiment


def comparison_html(
    experiments: Sequence[Experiment], table: pd.DataFrame, workspace: str, failed: Sequence[str]
) -> str:
    """Write the page: the table, parallel coordinates, curves, and what differs.

    Args:
        experiments: As of ``comparison_report``.
        table: Likewise.
        workspace: Likewise.
        failed: Likewise.
    """
    from plotly.io import to_html
    from plotly.offline import get_plotlyjs

    figures = {
        "coordinates": plots.experiment_coordinates(table),
        "curves": plots.experiment_curves(experiments),
    }
    parts = {
        # plotly escapes what would end its script
        name: Markup(
            to_html(figure, {"displaylogo": False, "responsive": True}, include_plotlyjs=False, full_html=False)
        )
        for name, figure in figures.items()
    }
    head, rows = head_and_rows(table)
    return render(
        "comparison.html.j2",
        title=heading(table, workspace),
        plotly=Markup(get_plotlyjs()),
        explanations=explanations(table),
        warnings=warnings(table, failed),
        head=head,
        rows=rows,
        figures=parts,
        changes=list(changes(experiments, table)),
    )
