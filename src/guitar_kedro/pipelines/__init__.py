"""The pipelines: what is done, in what order, with which datasets."""
