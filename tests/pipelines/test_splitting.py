"""What a user may rely on when images are split."""

from __future__ import annotations

import pandas as pd
import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.pipelines.splitting.nodes import SplittingOptions, plot_split_balance, report_leakage, split_images
from guitar_kedro.pipelines.splitting.validation import no_group_crosses

OPTIONS = SplittingOptions(validation=0.2, test=0.1)


def images(counts: dict[str, int], group_size: int = 1) -> pd.DataFrame:
    """Makes a table with so many images of each class, in groups of near duplicates."""
    rows = [
        (label, f"{label}{number}", number // group_size) for label, count in counts.items() for number in range(count)
    ]
    table = pd.DataFrame(rows, columns=["label", "image_id", "number"])
    table["duplicate_group"] = table.groupby(["label", "number"], sort=False).ngroup()
    return table


@pytest.mark.parametrize("group_size", [1, 3, 7])
def test_every_class_has_its_share_in_each_part(group_size: int):
    splits = split_images(images({"a": 210, "b": 420}, group_size), OPTIONS, seed=1)
    shares = splits.groupby("label")["split"].value_counts(normalize=True).unstack()
    assert shares["validation"].between(0.18, 0.22).all()
    assert shares["test"].between(0.08, 0.12).all()


@pytest.mark.parametrize("seed", range(5))
def test_near_duplicates_are_never_parted(seed: int):
    splits = split_images(images({"a": 100, "b": 50}, 3), OPTIONS, seed)
    assert splits.groupby("duplicate_group")["split"].nunique().max() == 1
    assert no_group_crosses(splits) is splits


def test_the_seed_decides_the_split():
    table = images({"a": 100, "b": 100})
    assert split_images(table, OPTIONS, 1).equals(split_images(table, OPTIONS, 1))
    assert not split_images(table, OPTIONS, 1).equals(split_images(table, OPTIONS, 2))


def test_images_that_go_or_change_their_class_leave_nearly_all_others_in_their_part():
    table = images({"a": 200, "b": 200}, 2)
    before = split_images(table, OPTIONS, 1).set_index("image_id")["split"]
    changed = table.assign(label=table["label"].mask(table["duplicate_group"].isin([3, 30]), "b")).iloc[6:]
    after = split_images(changed, OPTIONS, 1).set_index("image_id")["split"]
    assert (after != before[after.index]).sum() <= 12


def test_a_class_with_too_few_images_is_named_with_its_count():
    with pytest.raises(UserError, match=r"Class rare has only 2 images"):
        split_images(images({"common": 50, "rare": 2}), OPTIONS, 1)


def test_three_images_of_a_class_are_enough():
    splits = split_images(images({"a": 3, "b": 3}), OPTIONS, 1)
    assert splits.groupby("label")["split"].nunique().eq(3).all()


@pytest.mark.parametrize("seed", range(5))
def test_a_burst_of_near_duplicates_is_trained_on_where_a_class_has_little_else(seed: int):
    burst = images({"burst": 40}).assign(label="a", duplicate_group=-1)
    table = pd.concat([images({"a": 3, "b": 30}), burst], ignore_index=True)
    splits = split_images(table, OPTIONS, seed)
    assert set(splits.loc[splits["duplicate_group"] == -1, "split"]) == {"train"}


def test_a_split_in_which_a_group_crosses_is_refused():
    splits = split_images(images({"a": 30, "b": 30}, 3), OPTIONS, 1)
    splits.loc[splits["duplicate_group"] == 0, "split"] = ["train", "validation", "train"]
    with pytest.raises(ValueError, match="1 groups of near duplicates stand in several parts"):
        no_group_crosses(splits)


def test_the_leakage_of_a_random_split_is_the_one_that_random_splits_have():
    table = images({"a": 60, "b": 60}, 2)
    splits = split_images(table, OPTIONS, 1)
    shares = []
    for seed in range(300):
        shuffled = splits.sample(frac=1, random_state=seed).reset_index(drop=True)
        training, validation = shuffled.iloc[:84], shuffled.iloc[84:108]
        shares.append(validation["duplicate_group"].isin(training["duplicate_group"]).mean())
    report = report_leakage(splits, OPTIONS)
    assert report.random_split == pytest.approx(sum(shares) / len(shares), abs=0.02)
    assert report.this_split == 0
    assert report.images_with_relatives == 120


@pytest.mark.parametrize(
    ("display_names", "told"),
    [
        ({"catt": "Cat", "1": "One", "dog": "Dog"}, ["no class is called catt, dog; the classes are 1, cat"]),
        ({"1": "One"}, []),
    ],
)
def test_a_display_name_that_names_no_class_is_told(
    display_names: dict[str, str], told: list[str], caplog: pytest.LogCaptureFixture
):
    plot_split_balance(split_images(images({"cat": 9, "1": 9}), OPTIONS, 1), display_names)
    found = [message for message in caplog.messages if not message.startswith("Split:")]
    assert found == [f"display_names: {each}" for each in told]
