"""Storage beyond this machine's file system: a real FTP server on 127.0.0.1, which fsspec reads."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import fsspec
from pyftpdlib.authorizers import DummyAuthorizer
from pyftpdlib.handlers import FTPHandler
from pyftpdlib.servers import ThreadedFTPServer


class Storage:
    """A folder that is served, and its address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        handler = type("Handler", (FTPHandler,), {"authorizer": DummyAuthorizer()})
        handler.authorizer.add_anonymous(str(folder))
        self._server = ThreadedFTPServer(("127.0.0.1", 0), handler)
        self.address = f"ftp://127.0.0.1:{self._server.address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"timeout": 0.05})
        self._thread.start()

    def close(self) -> None:
        """Ends the server, and the connections to it."""
        self._server.close_all()
        self._thread.join()


@contextmanager
def serve_folder(folder: Path) -> Iterator[Storage]:
    """Serves a new folder."""
    storage = Storage(folder)
    try:
        yield storage
    finally:
        storage.close()
        fsspec.get_filesystem_class("ftp").clear_instance_cache()
