"""What the parts of a split are called, in tables and in code."""

TRAIN, VALIDATION, TEST = SPLITS = ("train", "validation", "test")
