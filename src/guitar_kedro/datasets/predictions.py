"""Predictions of any number of pictures."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from joblib import Parallel, delayed
from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets._typing import TablePreview

from guitar_kedro.cluster import work_on
from guitar_kedro.datasets.artifacts import Artifact
from guitar_kedro.datasets.tables import table_preview
from guitar_kedro.files import written_whole

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow import Table
    from pyarrow.parquet import ParquetFile

    from guitar_kedro.learning import Chunk, Predictor

_ROW_GROUP = 64  # chunks; a Parquet file of many small groups takes memory to read


class _PredictionsFile(AbstractVersionedDataset[Any, Any]):
    """A Parquet file that is written chunk by chunk."""

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        cluster: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Takes note of where it lies.

        Args:
            filepath: Of the Parquet file.
            version: Of the file.
            cluster: Address of a Dask scheduler on whose workers chunks are predicted; this machine writes. ``None``
                stands for this machine.
            metadata: For Kedro's plugins.
        """
        super().__init__(PurePosixPath(filepath), version)
        self._chunks, self._cluster = Path(filepath).with_suffix(".chunks"), cluster
        self.metadata = metadata

    def load(self) -> ParquetFile:
        from pyarrow.parquet import ParquetFile

        return ParquetFile(self._get_load_path())

    def save(self, data: Iterable[Chunk]) -> None:
        from pyarrow import concat_tables
        from pyarrow.parquet import ParquetWriter, read_table, write_table

        self._chunks.mkdir(parents=True, exist_ok=True)
        paths: list[Path] = []
        with work_on(self._cluster) as shared:
            # in a stream; one at a time on this machine, since a network takes all cores
            parallel = Parallel(n_jobs=-1 if self._cluster else 1, batch_size=1, return_as="generator")
            tasks = (
                delayed(_predict)(path, chunk.predict, shared(chunk.predictor))
                for path, chunk in self._missing(data, paths)
            )
            with closing(parallel(tasks)) as predicted:
                for path, table in predicted:
                    with written_whole(path) as beside:
                        write_table(_arrow(table), beside)
        with ParquetWriter(self._get_save_path(), read_table(paths[0]).schema) as writer:
            for start in range(0, len(paths), _ROW_GROUP):
                writer.write_table(concat_tables(map(read_table, paths[start : start + _ROW_GROUP])))

    def _missing(self, chunks: Iterable[Chunk], paths: list[Path]) -> Iterator[tuple[Path, Chunk]]:
        """Picks out the chunks that are not predicted yet, and notes where each of all lies."""
        for chunk in chunks:
            paths.append(self._chunks / f"{chunk.key}.parquet")
            if not paths[-1].exists():
                yield paths[-1], chunk

    def unneeded(self, key: str | None) -> Iterator[Path]:
        """Lists the chunks that nobody goes on with.

        Args:
            key: What the keys of the model's chunks begin with; ``None`` where there is no model.
        """
        chunks = sorted(self._chunks.glob("*.parquet"))
        return (path for path in chunks if key is None or not path.name.startswith(f"{key}-"))

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, for kedro-viz."""
        first = next(self.load().iter_batches(nrows))
        return table_preview(first.to_pandas())

    def _exists(self) -> bool:
        return bool(self.list_versions()) if self._version else Path(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}


class PredictionsDataset(Artifact, _PredictionsFile):
    """Predictions with all probabilities as a Parquet file, which loads as pyarrow's ``ParquetFile``.

    It is saved from a stream of chunks, in memory that does not grow with their number. Each chunk is kept beside the
    file until all are there: a run that was killed goes on after the last one.
    """

    def save(self, data: Iterable[Chunk]) -> None:
        """Predicts what is not predicted yet, and saves it whole or not at all.

        Raises:
            DatasetError: If it cannot be written.
        """
        super().save(data)
        shutil.rmtree(self._chunks)


def _predict(
    path: Path, predict: Callable[[Predictor], pd.DataFrame], predictor: Predictor
) -> tuple[Path, pd.DataFrame]:
    return path, predict(predictor)


def _arrow(table: pd.DataFrame) -> Table:
    """Gives every chunk the same types, also one in which no picture could be read."""
    import pyarrow as pa

    types = {name: pa.float64() if kind.kind == "f" else pa.string() for name, kind in table.dtypes.items()}
    return pa.Table.from_pandas(table, pa.schema(list(types.items())), preserve_index=False)
