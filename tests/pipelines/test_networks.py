"""The comparison of networks."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
from small_project import kedro_in

from guitar_kedro.errors import UserError
from guitar_kedro.metrics import compare_networks, recommended_network
from guitar_kedro.pipelines.networks import plan_networks
from guitar_kedro.plots import network_comparison_figure


def test_a_network_has_packaged_weights_where_there_are_any_and_the_best_published_ones_else():
    plans = plan_networks(["tf_efficientnet_lite0", "convnext_tiny", "vit_tiny_patch16_224:none"])
    assert [(plan.architecture, plan.weights) for plan in plans] == [
        ("tf_efficientnet_lite0", "packaged"),
        ("convnext_tiny", "default"),
        ("vit_tiny_patch16_224", "none"),
    ]


@pytest.mark.parametrize("networks", [None, [], "resnet18", [18], ["resnet18", "resnet18:default"]])
def test_what_lists_no_networks_is_refused(networks: object):
    with pytest.raises(UserError, match="networks"):
        plan_networks(networks)


def predictions(network: str, wrong: int, images: int = 200) -> pd.DataFrame:
    rows = [(network, str(number), "a", "b" if number < wrong else "a", "b") for number in range(images)]
    return pd.DataFrame(rows, columns=["network", "image_id", "label", "probe", "neighbours"])


def test_the_network_with_the_fewest_errors_is_recommended_and_a_faster_one_named_that_may_be_as_good():
    both = pd.concat([predictions("small", 24), predictions("tiny", 90), predictions("large", 20)])
    costs = [{"seconds_per_picture": seconds, "megabytes": 10.0} for seconds in (0.01, 0.001, 0.1)]
    table = compare_networks(both, costs)
    assert table["network"].drop_duplicates().tolist() == ["large", "small", "tiny"]
    assert table["errors"].tolist() == [20, 200, 24, 200, 90, 200]
    assert table["p_value"][0] == 1
    sentence = recommended_network(table)
    assert sentence.startswith("Take large: a linear head on its features is wrong on 10.0 %")
    assert "small, at 10 ms a picture and 10 MB, is wrong on 12.0 %, which may well be chance" in sentence
    assert network_comparison_figure(table, sentence).axes


def test_networks_are_compared_on_the_validation_part_alone(used_project: Path):
    reports = used_project / "data" / "08_reporting" / "demo"
    openings = (reports / "test_log.csv").read_bytes()
    networks = "--params=networks=[squeezenet1_1:none,test_efficientnet:none]"
    run = kedro_in(used_project, "run", "--pipeline=networks", networks)
    assert run.returncode == 0, run.stdout + run.stderr
    table = pd.read_csv(next(reports.glob("network_comparison.csv/*/*.csv")))
    assert set(zip(table["network"], table["method"], strict=True)) == {
        (network, method)
        for network in ("squeezenet1_1:none", "test_efficientnet:none")
        for method in ("probe", "neighbours")
    }
    assert (table["seconds_per_picture"] > 0).all()
    assert next(reports.glob("network_recommendation.md/*/*.md")).read_text().startswith("Take ")
    assert (reports / "test_log.csv").read_bytes() == openings
