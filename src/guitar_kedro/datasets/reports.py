"""Figures and numbers of reports."""

from kedro_datasets.json import JSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset

from guitar_kedro.datasets.atomic import AtomicSave


class FigureDataset(AtomicSave, MatplotlibDataset):
    """A matplotlib figure as a PNG file."""


class MetricsDataset(AtomicSave, JSONDataset):
    """Numbers as a JSON file."""
