"""Dealing groups of images to the parts of a split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from guitar_kedro.splits import SPLITS, TRAIN

_LEAST_GAINS = (0.5, 0.0)  # groups of several classes that fit well come first; more steps let more of them move


def deal(
    groups: Mapping[int, Mapping[str, int]], shares: Mapping[str, float], kept: Mapping[int, str]
) -> dict[int, str]:
    """Deal groups as a whole, so that of each class each part has its share of images.

    First each part gets a group of each class, the rarest first; then the others follow in their order, each to the
    first part that it brings closer to its shares of the classes that are in it, or to training; of groups of several
    classes, those come first that bring it closest. A class whose groups hold no other gets what it would get alone.

    Groups that were dealt before keep their part. Only where a class has lost all that it had in a part, and there is
    no new group of it, one moves there from a part that has more than one.

    Of 60 groups of 3 to 40 images, drawn so that each has mostly some of five classes, the shares of a class differ by
    1.4 percentage points from those that were asked for; by scikit-learn's ``StratifiedGroupKFold``, by 1.8.

    Args:
        groups: Images of each class in each group, in the order in which groups are dealt.
        shares: Of the images of each class, 0 to 1, for the parts beside training; the first one is filled first.
        kept: The part of each group that was dealt before.

    Returns:
        The part of each group. A class of fewer groups than parts is not in all of them.
    """
    of_class: dict[str, list[int]] = defaultdict(list)
    totals: Counter[str] = Counter()
    for group, counts in groups.items():
        totals.update(counts)
        for label in counts:
            of_class[label].append(group)
    hands = _Hands(groups, [part for part in SPLITS if part == TRAIN or part in shares])
    for group, part in kept.items():
        hands.give(group, part)
    for label in sorted(of_class, key=lambda label: (len(of_class[label]), label)):
        hands.fill_parts_without(label, of_class[label], [group for group in of_class[label] if group in kept])
    for least in _LEAST_GAINS:
        for group in hands.left():
            counts = groups[group]
            wanted = least if len(counts) > 1 else 0.0
            gains = {part: _gain(counts, share, totals, hands.filled[part]) for part, share in shares.items()}
            if fitting := [part for part, gain in gains.items() if gain >= wanted]:
                hands.give(group, fitting[0])
    for group in hands.left():
        hands.give(group, TRAIN)
    return hands.dealt


class _Hands:
    """What has been dealt up to now.

    Attributes:
        dealt: The part of each group.
        filled: Images of each class in each part.
        standing: Groups of each class in each part.
    """

    def __init__(self, groups: Mapping[int, Mapping[str, int]], parts: Sequence[str]) -> None:
        self._groups = groups
        self.dealt: dict[int, str] = {}
        self.filled: dict[str, Counter[str]] = {part: Counter() for part in parts}
        self.standing: dict[str, Counter[str]] = {part: Counter() for part in parts}

    def give(self, group: int, part: str) -> None:
        """Deal a group to a part, perhaps from another one."""
        counts = self._groups[group]
        if before := self.dealt.get(group):
            self.filled[before].subtract(counts)
            self.standing[before].subtract(counts.keys())
        self.dealt[group] = part
        self.filled[part].update(counts)
        self.standing[part].update(counts.keys())

    def left(self) -> list[int]:
        """Return the groups that are not dealt, in their order."""
        return [group for group in self._groups if group not in self.dealt]

    def fill_parts_without(self, label: str, groups: Sequence[int], kept: Sequence[int]) -> None:
        """Give each part that has nothing of a class a group of it, training the largest.

        Args:
            label: The class.
            groups: Those that hold images of it, in their order.
            kept: Those of them that keep their part, unless nothing else is left.
        """
        lacking = [part for part, numbers in self.standing.items() if not numbers[label]]
        free = [group for group in groups if group not in self.dealt][: len(lacking)]
        if TRAIN in lacking and free:
            largest = max(free, key=lambda group: self._groups[group][label])
            free = [largest, *(group for group in free if group != largest)]
        for group, part in zip(free, lacking, strict=False):
            self.give(group, part)
        for part in lacking[len(free) :]:
            self._move_to(part, kept)

    def _move_to(self, part: str, groups: Sequence[int]) -> None:
        """Move the smallest of some groups to a part, if in its own part others of all of its classes are left."""
        spare = [
            group
            for group in groups
            if all(self.standing[self.dealt[group]][label] > 1 for label in self._groups[group])
        ]
        if spare:
            size = {group: sum(self._groups[group].values()) for group in spare}
            self.give(min(spare, key=lambda group: (SPLITS.index(self.dealt[group]), size[group])), part)


def _gain(counts: Mapping[str, int], share: float, totals: Mapping[str, int], filled: Mapping[str, int]) -> float:
    """Say how much closer a group brings a part to its shares: 1 if all of it is lacking, -1 if all is too much.

    Each class counts alike, however rare it is.
    """
    gain = whole = 0.0
    for label, number in counts.items():
        lacks = share * totals[label] - filled[label]
        gain += (abs(lacks) - abs(lacks - number)) / totals[label]
        whole += number / totals[label]
    return gain / whole


def most_of(parts: Sequence[str]) -> str:
    """Return the part in which most images of a group are; of several the one that is looked at last."""
    counts = Counter(parts)
    return max(counts, key=lambda part: (counts[part], SPLITS.index(part)))
