"""What a user may rely on about the run cache, whatever somebody made of its file."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DataCatalog

from guitar_kedro.datasets import MetricsDataset
from guitar_kedro.errors import UserError
from guitar_kedro.runs.run_cache import RunCache


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b'{"split_images": 7}',
        b'{"split_images": {"version": "1"}}',
        b'{"split_images": {"version": "1", "outputs": {}, "fingerprint": {"inputs": {}}}}',
        b'{"caf\xe9": {}}',
    ],
)
def test_a_ledger_that_somebody_spoilt_is_told_with_what_to_do(tmp_path: Path, content: bytes):
    path = tmp_path / "run_cache.json"
    path.write_bytes(content)
    with pytest.raises(
        UserError, match=r"run_cache\.json cannot be read: remove it, and the next run makes everything"
    ):
        RunCache(DataCatalog({"run_cache": MetricsDataset(filepath=str(path))}), {})
