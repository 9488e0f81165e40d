"""The study of a search is read whatever became of it, or the message says what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from kedro.io import DatasetError

from guitar_kedro.datasets import StudyDataset


def test_a_line_that_was_not_finished_when_the_power_went_is_left_out(tmp_path: Path):
    import optuna

    journal = tmp_path / "study.journal"
    optuna.create_study(study_name="one", storage=StudyDataset(str(journal)).load())
    with journal.open("ab") as file:
        file.write(b'{"op_code": 0, "wor')
    optuna.create_study(study_name="two", storage=StudyDataset(str(journal)).load())
    studies = optuna.get_all_study_summaries(StudyDataset(str(journal)).load())
    assert {study.study_name for study in studies} == {"one", "two"}


@pytest.mark.parametrize("content", [None, b"\x80\xff\n", b'{"op_code": 0}\n'])
def test_what_is_no_study_is_told_with_the_way_out(content: bytes | None, tmp_path: Path):
    journal = tmp_path / "study.journal"
    if content is None:
        journal.mkdir()
    else:
        journal.write_bytes(content)
    with pytest.raises(DatasetError, match=r"study\.journal cannot be read as a study .*: remove it to begin"):
        StudyDataset(str(journal)).load()
