"""Predictions of any number of pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Generator, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from kedro_datasets._typing import TablePreview

from guitar_kedro.datasets.artifacts import Artifact
from guitar_kedro.datasets.tables import table_preview
from guitar_kedro.files import written_whole

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

# is told the keys of the chunks that are kept; streams all in order, each with its key, and those without rows
Prediction = Callable[[frozenset[str]], Generator["tuple[str, pd.DataFrame | None]", None, None]]

_ROW_GROUP = 64  # chunks; a Parquet file of many small groups takes memory to read


class PredictionsDataset(Artifact):
    """Predictions with all probabilities as a Parquet file, which loads as pyarrow's ``ParquetFile``.

    It is saved from a function that is told which chunks are kept, and streams all of them: memory does not grow with
    their number. Each chunk is kept beside the file until all are there: a run that was killed goes on after the last.
    """

    def save(self, data: Prediction) -> None:
        """Keep each chunk as it comes, and save all of them whole or not at all.

        Raises:
            DatasetError: If it cannot be written.
        """
        super().save(data)
        shutil.rmtree(self._chunks)

    def _read(self, path: Path) -> ParquetFile:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(path)

    def _write(self, data: Prediction, path: Path) -> None:
        from pyarrow import concat_tables
        from pyarrow.parquet import ParquetWriter, read_table, write_table

        self._chunks.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        with closing(data(frozenset(path.stem for path in self._kept()))) as chunks:
            for key, table in chunks:
                paths.append(self._chunks / f"{key}.parquet")
                if table is not None:
                    with written_whole(paths[-1]) as beside:
                        write_table(_arrow(table), beside)
        with ParquetWriter(path, read_table(paths[0]).schema) as writer:
            for start in range(0, len(paths), _ROW_GROUP):
                writer.write_table(concat_tables(map(read_table, paths[start : start + _ROW_GROUP])))

    def unneeded(self, key: str | None) -> Iterator[Path]:
        """List the chunks that nobody goes on with.

        Args:
            key: What the keys of the model's chunks begin with; ``None`` where there is no model.
        """
        return (path for path in self._kept() if key is None or not path.name.startswith(f"{key}-"))

    @property
    def _chunks(self) -> Path:
        return Path(self._filepath).with_suffix(".chunks")

    def _kept(self) -> list[Path]:
        return sorted(self._chunks.glob("*.parquet"))

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, for kedro-viz."""
        return table_preview(next(self.load().iter_batches(nrows)).to_pandas())


def _arrow(table: pd.DataFrame) -> Table:
    """Give every chunk the same types, also one in which no picture could be read."""
    import pyarrow as pa

    types = {name: pa.float64() if kind.kind == "f" else pa.string() for name, kind in table.dtypes.items()}
    return pa.Table.from_pandas(table, pa.schema(list(types.items())), preserve_index=False)
