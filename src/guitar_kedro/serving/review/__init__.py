"""``kedro review``: a page on which a person looks through pictures, and decides about them."""
