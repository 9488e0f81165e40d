"""What networks are shown: pictures made square, decoded once, loaded in batches and augmented."""
