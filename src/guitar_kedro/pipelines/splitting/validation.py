"""What must hold for a split, whoever made it."""

import pandas as pd


def no_group_crosses(splits: pd.DataFrame) -> pd.DataFrame:
    """Refuse a split in which a group stands on both sides, but by the parts that its images came with.

    Raises:
        ValueError: If a group of duplicates has images in more parts than those in which they were given.
    """
    given = splits.get("given", pd.Series(False, index=splits.index))
    parts = splits.groupby("duplicate_group")["split"].nunique()
    given_parts = splits[given].groupby("duplicate_group")["split"].nunique().reindex(parts.index, fill_value=1)
    if (crossing := parts[parts > given_parts]).size:
        group = crossing.index[0]
        members = splits[splits["duplicate_group"] == group]
        raise ValueError(
            f"{crossing.size} groups of near duplicates stand in several parts of the split, for example group "
            f"{group}: {', '.join(members['image_id'] + ' in ' + members['split'])}. Split again with "
            "`kedro run --pipeline=splitting`."
        )
    return splits
