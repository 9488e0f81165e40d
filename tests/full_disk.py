"""A disk without room, as the system tells of it."""

import contextlib
import resource
import signal
from collections.abc import Iterator


@contextlib.contextmanager
def room_for(most_bytes: int) -> Iterator[None]:
    """Lets no file of this process become larger: writing on fails in the system, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
