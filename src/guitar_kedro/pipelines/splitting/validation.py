"""What must hold for a split, whoever made it."""

import pandas as pd


def no_group_crosses(splits: pd.DataFrame) -> pd.DataFrame:
    """Refuse a split in which near duplicates stand on both sides.

    Raises:
        ValueError: If a duplicate group has images in more than one split.
    """
    counts = splits.groupby("duplicate_group")["split"].nunique()
    if (crossing := counts[counts > 1]).size:
        group = crossing.index[0]
        members = splits[splits["duplicate_group"] == group]
        raise ValueError(
            f"{crossing.size} groups of near duplicates stand in several parts of the split, for example group "
            f"{group}: {', '.join(members['image_id'] + ' in ' + members['split'])}. Split again with "
            "`kedro run --pipeline=splitting`."
        )
    return splits
