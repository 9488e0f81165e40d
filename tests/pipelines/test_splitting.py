"""What a user may rely on when images are split."""

from __future__ import annotations

import logging

import numpy as np
import pandas as pd
import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.pipelines.cross_validation.nodes import CrossValidationOptions, deal_folds
from guitar_kedro.pipelines.splitting import nodes
from guitar_kedro.pipelines.splitting.nodes import plot_split_balance, report_leakage
from guitar_kedro.pipelines.splitting.options import SplittingOptions
from guitar_kedro.pipelines.splitting.validation import no_group_crosses

OPTIONS = SplittingOptions(validation=0.2, test=0.1)


def split_images(table: pd.DataFrame, options: SplittingOptions, seed: int) -> pd.DataFrame:
    """Splits images as the first run of a workspace does."""
    return nodes.split_images(hashed(table), options, seed, pd.DataFrame())[0]


def hashed(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(file_hash="f" + table["image_id"], pixel_hash="p" + table["image_id"])


def images(counts: dict[str, int], group_size: int = 1) -> pd.DataFrame:
    """Makes a table with so many images of each class, in groups of near duplicates."""
    rows = [
        (label, f"{label}{number}", number // group_size) for label, count in counts.items() for number in range(count)
    ]
    table = pd.DataFrame(rows, columns=["label", "image_id", "number"])
    table["duplicate_group"] = table.groupby(["label", "number"], sort=False).ngroup()
    return table.assign(file=table["label"] + "/" + table["image_id"] + ".jpg", given_split="", group="")


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
    report, leaks = report_leakage(splits, table, OPTIONS)
    assert leaks.empty
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


def grouped(groups: int, size: int, classes: int = 3, seed: int = 0) -> pd.DataFrame:
    """Makes a table of groups of which each, like a photographer, has images of several classes."""
    rng = np.random.default_rng(seed)
    rows = [(f"g{group}", f"c{label}") for group in range(groups) for label in rng.integers(0, classes, size)]
    table = pd.DataFrame(rows, columns=["group", "label"])
    table["image_id"] = [rng.bytes(8).hex() for _ in rows]
    table["duplicate_group"] = range(len(rows))
    return table.assign(
        file=[f"{row.group}_{place}.jpg" for place, row in enumerate(table.itertuples())], given_split=""
    )


def parts_of_groups(splits: pd.DataFrame, groups: pd.Series) -> pd.Series:
    return splits.groupby(groups.to_numpy())["split"].nunique()


@pytest.mark.parametrize("seed", range(3))
def test_no_group_crosses_nor_its_near_duplicates_and_classes_have_about_their_shares(seed: int):
    table = grouped(60, 20, seed=seed)
    table.loc[[0, 700], "duplicate_group"] = 5000  # a picture that two groups have
    splits = split_images(table, OPTIONS, seed)
    assert parts_of_groups(splits, table["group"]).max() == 1
    assert splits.loc[0, "split"] == splits.loc[700, "split"]
    assert no_group_crosses(splits) is splits
    folds = deal_folds(splits, CrossValidationOptions(folds=3), seed)
    of_fold = table.set_index("image_id")["group"][folds["image_id"]].to_numpy()
    assert folds.groupby(of_fold)["fold"].nunique().max() == 1
    shares = splits.groupby("label")["split"].value_counts(normalize=True).unstack()
    assert shares["validation"].between(0.15, 0.25).all()
    assert shares["test"].between(0.05, 0.15).all()


def test_groups_may_stand_in_the_names_of_files(caplog: pytest.LogCaptureFixture):
    table = grouped(30, 10)
    options = SplittingOptions(validation=0.2, test=0.1, group_from=r"(.+)_\d+")
    by_name = split_images(table.assign(group=""), options, 1)
    assert by_name.equals(split_images(table, OPTIONS, 1))
    files = [f"unlabelled:{'0' * 20}/accepted.jpg", "odd.jpg", *table["file"][2:]]
    split_images(table.assign(group="", file=files), options, 1)
    assert caplog.text.count("not found in the names of 2 files, for example accepted.jpg") == 1
    with pytest.raises(UserError, match=r"group_from=x\(y\) is found in no name of a file, as g0_0.jpg, g0_1.jpg"):
        split_images(table, SplittingOptions(validation=0.2, test=0.1, group_from="x(y)"), 1)


@pytest.mark.parametrize(
    ("group_from", "wrong"), [("(a", "cannot be read as a regular expr"), ("a+", "needs brackets")]
)
def test_an_expression_for_groups_is_checked_before_anything_runs(group_from: str, wrong: str):
    with pytest.raises(UserError, match=wrong):
        SplittingOptions.model_validate({"validation": 0.2, "test": 0.1, "group_from": group_from})


def test_a_class_of_two_groups_is_trained_on_and_told(caplog: pytest.LogCaptureFixture):
    rare = grouped(2, 9, classes=1).assign(label="rare", group=["r1"] * 9 + ["r2"] * 9)
    table = pd.concat([grouped(30, 10), rare], ignore_index=True).assign(duplicate_group=range(318))
    splits = split_images(table, OPTIONS, 1)
    assert "train" in set(splits.loc[splits["label"] == "rare", "split"])
    assert "Class rare has 18 images in 2 groups that stay together, so none of it is in the test part" in caplog.text


def test_groups_that_leave_no_image_to_measure_on_are_refused():
    table = images({"a": 12, "b": 12}).assign(group=["g1"] * 12 + ["g2"] * 12)
    with pytest.raises(
        UserError, match=r"No image is left for the validation and test part: the 24 images are in 2 gr"
    ):
        split_images(table, OPTIONS, 1)


def given(**parts: int) -> pd.DataFrame:
    """Makes a table of two classes with so many images of each in each part."""
    frames = [images({"a": count, "b": count}).assign(given_split=part) for part, count in parts.items()]
    table = pd.concat(frames, ignore_index=True)
    return table.assign(image_id=[f"{place:03d}" for place in range(len(table))], duplicate_group=range(len(table)))


def test_a_given_split_is_kept_exactly():
    table = given(train=20, validation=7, test=5)
    splits = split_images(table, OPTIONS, 1)
    assert splits["split"].tolist() == table["given_split"].tolist()
    assert splits["given"].all()
    leakage, leaks = report_leakage(splits, table, OPTIONS)
    assert (leakage.given, leakage.this_split, len(leaks)) == (("train", "validation", "test"), 0, 0)


@pytest.mark.parametrize("there", ["validation", "test"])
def test_a_part_that_is_missing_is_dealt_from_the_training_part(there: str, caplog: pytest.LogCaptureFixture):
    table = given(train=40, **{there: 8})
    with caplog.at_level("INFO"):
        splits = split_images(table, OPTIONS, 1)
    kept = table["given_split"] == there
    assert set(splits.loc[kept, "split"]) == {there}
    share = {"validation": 8, "test": 4}[missing := {"validation": "test", "test": "validation"}[there]]
    assert splits.loc[~kept].groupby(["label", "split"]).size().unstack()[missing].tolist() == [share, share]
    assert f"; {missing}: dealt from its training part" in caplog.text


def test_what_leaks_in_a_given_split_is_told_moved_or_refused(caplog: pytest.LogCaptureFixture):
    table = given(train=20, validation=6, test=6)
    table.loc[[0, 1, 50], "duplicate_group"] = 900  # two in train, one in validation
    table.loc[[3, 60], "duplicate_group"] = 901  # one in train, one in test
    splits = split_images(table, OPTIONS, 1)
    assert splits["split"].tolist() == table["given_split"].tolist()
    assert no_group_crosses(splits) is splits
    leakage, leaks = report_leakage(splits, table, OPTIONS)
    assert "leaks: 5 images have near duplicates" in caplog.text
    assert (leakage.this_split, leakage.test_split) == (pytest.approx(1 / 12), pytest.approx(1 / 12))
    assert leaks["split"].tolist() == ["train", "train", "validation", "train", "test"]
    moved = split_images(table, OPTIONS.model_copy(update={"leaks": "move"}), 1)
    changed = moved["split"] != table["given_split"]
    assert moved.loc[changed, "split"].to_dict() == {3: "test", 50: "train"}
    assert moved["given"].tolist() == (~changed).tolist()
    with pytest.raises(UserError, match=r"^2 groups .* for example a/a0.jpg in train, .*leaks=move"):
        split_images(table, OPTIONS.model_copy(update={"leaks": "refuse"}), 1)


def test_a_part_that_is_moved_away_as_a_whole_is_refused():
    table = given(train=20, validation=6, test=1)
    table.loc[[0, 1, 52], "duplicate_group"] = 900
    table.loc[[20, 21, 53], "duplicate_group"] = 901
    assert table.loc[[52, 53], "given_split"].eq("test").all()
    with pytest.raises(UserError, match=r"No image is left in the test part: .*splitting.leaks=report"):
        split_images(table, OPTIONS.model_copy(update={"leaks": "move"}), 1)


def test_an_image_without_a_part_follows_its_group_or_is_trained_on_and_is_told(caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.INFO)
    table = given(train=20, validation=6, test=6)
    table.loc[[1, 2], "given_split"] = ""
    table.loc[[1, 60], "duplicate_group"] = 900
    splits = split_images(table, OPTIONS, 1)
    assert splits.loc[[1, 2], "split"].tolist() == ["test", "train"]
    assert "train, validation, test; 2 images without a part: with their group, or trained on" in caplog.text


def test_a_class_of_a_given_split_that_nothing_teaches_is_refused():
    table = given(train=20, validation=6, test=6)
    table.loc[table["given_split"] == "test", "label"] = "c"
    with pytest.raises(UserError, match="Class c has no image to train on: all of them are in the test part"):
        split_images(table, OPTIONS, 1)


class Workspace:
    """Splits the same images again and again, as runs of a workspace do."""

    def __init__(self, seed: int = 1) -> None:
        self.seed, self.assignments = seed, pd.DataFrame()

    def run(self, table: pd.DataFrame, options: SplittingOptions = OPTIONS) -> pd.Series:
        """Returns the part of each image, by its ``image_id``."""
        splits, self.assignments = nodes.split_images(hashed(table), options, self.seed, self.assignments)
        assert no_group_crosses(splits) is splits
        return splits.set_index("image_id")["split"]


def pictures(rng: np.random.Generator, count: int, first: int = 0) -> pd.DataFrame:
    """Makes a table of images of three classes, a rare one among them, every fourth with near duplicates."""
    groups = np.sort(rng.integers(first, first + max(count * 3 // 4, 1), count))
    table = pd.DataFrame({"image_id": [f"{first + place:05d}" for place in range(count)], "duplicate_group": groups})
    table["label"] = table["duplicate_group"].map(lambda group: "aaaaaabbbbbbc"[group * 7919 % 13])
    return table.assign(file=table["image_id"] + ".jpg", given_split="", group="")


@pytest.mark.parametrize("seed", range(8))
def test_whatever_comes_and_goes_old_images_stay_and_no_class_loses_a_part(seed: int):
    rng, workspace = np.random.default_rng(seed), Workspace(seed)
    table = pictures(rng, 300)
    trained: set[str] = set()
    before = workspace.run(table)
    for step in range(1, 6):
        stays = (rng.random(len(table)) > 0.1) | (table["label"] == "c")
        table = pd.concat([table[stays], pictures(rng, int(rng.integers(1, 60)), step * 1000)], ignore_index=True)
        relabelled = table["duplicate_group"].isin(rng.choice(table["duplicate_group"], 3)) & (table["label"] != "c")
        table["label"] = table["label"].mask(relabelled, "a")
        shuffled = table.sample(frac=1, random_state=step).reset_index(drop=True)
        after = workspace.run(shuffled.replace({"label": {"b": f"renamed{step}"}}))
        both = before.index.intersection(after.index)
        assert (after[both] == before[both]).all()
        trained |= set(before.index[before != "test"])
        assert not trained & set(after.index[after == "test"])
        assert pd.crosstab(table.set_index("image_id")["label"][after.index], after).gt(0).all(axis=None)
        shares = after.value_counts(normalize=True)
        assert abs(shares["validation"] - 0.2) < 0.03
        assert abs(shares["test"] - 0.1) < 0.03
        before = after


def test_groups_that_have_names_stay_and_take_new_images_with_them():
    workspace, table = Workspace(), grouped(100, 10)
    fewer = table[~table.index.isin(range(0, 50, 10))].reset_index(drop=True)  # five groups are smaller
    before, after = workspace.run(fewer), workspace.run(table)
    assert (after[before.index] == before).all()


def test_an_image_that_was_away_comes_back_to_its_part():
    workspace, table = Workspace(), images({"a": 60, "b": 60})
    before = workspace.run(table)
    workspace.run(table.iloc[40:])
    workspace.run(images({"c": 30, "d": 30}))  # other photos, by mistake
    assert workspace.run(table).equals(before)


def test_a_file_is_known_by_its_bytes_and_by_its_pixels():
    workspace, table = Workspace(), hashed(images({"a": 60, "b": 60}))
    before = workspace.run(table)
    for other in ("file_hash", "pixel_hash"):
        changed = table.assign(image_id="x" + table["image_id"], **{other: "other " + table[other]})
        splits, _ = nodes.split_images(changed, OPTIONS, 1, workspace.assignments)
        assert splits["split"].tolist() == before.tolist()


def test_what_was_trained_on_is_never_tested_where_a_new_image_joins_groups(caplog: pytest.LogCaptureFixture):
    workspace, table = Workspace(), images({"a": 60, "b": 60})
    before = workspace.run(table)
    one, other, third = (before.index[before == part][0] for part in ("train", "validation", "test"))
    joined = images({"a": 61, "b": 60})
    new = joined["image_id"] == "a60"
    joined["duplicate_group"] = joined["duplicate_group"].mask(joined["image_id"].isin([one, other, third]) | new, -1)
    after = workspace.run(joined)
    assert set(after[[one, other, third, "a60"]]) == {"train"}
    assert (after[before.index] != before).sum() == 2
    assert "2 images moved to another part, for a new or changed image made one group" in caplog.text
    caplog.clear()
    assert workspace.run(joined).equals(after)
    assert "moved" not in caplog.text


def test_a_class_that_lost_its_test_images_gets_new_ones_or_one_of_training(caplog: pytest.LogCaptureFixture):
    workspace, table = Workspace(), images({"a": 60, "b": 20})
    before = workspace.run(table)
    left = table[~table["image_id"].isin(before.index[(before == "test") & before.index.str.startswith("b")])]
    new = images({"b": 21}).iloc[20:].assign(duplicate_group=500)
    kept = Workspace()
    kept.assignments = workspace.assignments
    after = kept.run(pd.concat([left, new], ignore_index=True))
    assert after["b20"] == "test"
    assert (after[left["image_id"]] == before[left["image_id"]]).all()
    assert "moved" not in caplog.text
    after = workspace.run(left.reset_index(drop=True))
    moved = after[left["image_id"]] != before[left["image_id"]]
    assert after[moved.index[moved]].tolist() == ["test"]
    assert "1 image of b moved from the train to the test part, where a class had none any more" in caplog.text


@pytest.mark.parametrize(
    ("options", "seed", "told"),
    [
        ({}, 2, "seed=2"),
        ({"test": 0.2}, 1, "test=0.2"),
        ({"group_from": r"(\d)\d*\.jpg"}, 1, r"groups=(\d)"),
    ],
)
def test_another_seed_or_share_deals_all_images_anew_and_says_so(
    options: dict[str, object], seed: int, told: str, caplog: pytest.LogCaptureFixture
):
    workspace, table = Workspace(), images({"a": 600, "b": 600})
    workspace.run(table.iloc[:700])
    workspace.seed = seed
    changed = OPTIONS.model_copy(update=options)
    assert workspace.run(table, changed).equals(Workspace(seed).run(table, changed))
    assert "The split is dealt anew, by " in caplog.text
    assert told in caplog.text


def test_a_split_that_comes_with_the_photos_is_kept_whatever_was_dealt_before():
    workspace = Workspace()
    table = given(train=40, validation=8, test=8)
    before = workspace.run(table.assign(given_split=""))
    assert workspace.run(table).tolist() == table["given_split"].tolist() != before.tolist()
    dealt = workspace.run(table.assign(given_split=table["given_split"].replace("test", "train")))
    was_test = table["given_split"] == "test"
    assert (dealt[~was_test.to_numpy()] == table.loc[~was_test, "given_split"].to_numpy()).all()
