"""A trained model in forms that need nothing of this project."""
