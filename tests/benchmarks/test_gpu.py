"""What whoever has a GPU may rely on; where there is none, a smaller network shows it."""

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import yaml

FOLDER = Path(__file__).parent


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    monkeypatch.syspath_prepend(FOLDER)
    before = set(sys.modules)
    import bench_gpu

    yield bench_gpu
    for name in set(sys.modules) - before:
        if getattr(sys.modules[name], "__file__", None) and Path(sys.modules[name].__file__ or "").parent == FOLDER:
            del sys.modules[name]


@pytest.mark.process
def test_the_gpu_part_runs_everything_once_and_then_tells_how_fast_it_is(
    bench: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import harness

    phase = {"epochs": 5, "learning_rate": 1e-3}
    stage = {"architecture": "squeezenet1_1", "image_size": 224, "batch_size": 64, "weights": "imagenet"}
    conf = {"stages": {"only": {**stage, "frozen": phase, "unfrozen": phase}}, "training": {"finder_iterations": 20}}
    (tmp_path / "conf.yml").write_text(yaml.safe_dump(conf))
    monkeypatch.setattr(bench, "CONF", tmp_path / "conf.yml")
    monkeypatch.setattr(bench, "has_gpu", lambda: False)
    harness.run(["gpu"], quick=True, pairs=1)
    out, err = capsys.readouterr()
    for what in ("finder", "frozen", "unfrozen", "the whole recipe", "resume after a kill", "Grad-CAM", "ONNX"):
        assert f"\n{what}" in f"\n{err}"
    assert "no figures of a GPU" in out
    assert "of the network alone" in out
    assert "What took the article 122 minutes takes" in out
    assert out.count("step of only, ") == 2


def test_all_parts_leave_out_the_one_for_a_gpu_where_there_is_none(
    bench: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import harness

    monkeypatch.setattr(harness, "has_gpu", lambda: False)
    assert harness.all_but_gpu(["commands", "gpu", "training"]) == ["commands", "training"]
    assert capsys.readouterr().err.splitlines() == [
        "Left out: gpu, which needs a GPU; PART=gpu runs it on the CPU, small."
    ]
    monkeypatch.setattr(harness, "has_gpu", lambda: True)
    assert harness.all_but_gpu(["commands", "gpu"]) == ["commands", "gpu"]
