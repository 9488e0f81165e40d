"""What networks are shown: pictures resized, decoded once, loaded in batches and augmented."""
