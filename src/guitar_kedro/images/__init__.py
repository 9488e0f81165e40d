"""One picture: reading it safely, preparing it, hashing it, drawing a demo guitar."""

import lazy_loader as lazy

__getattr__, __dir__, __all__ = lazy.attach(
    __name__,
    submod_attrs={
        "duplicates": ["near_duplicate_groups"],
        "ingest": ["FileRecord", "PreparationOptions", "prepare_files"],
        "probing": ["Limits"],
        "sources": ["ImageStream", "RawImage", "is_address"],
        "store": ["PreparedImages", "Picture", "open_thumbnail"],
    },
)
