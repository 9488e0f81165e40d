"""What a user may rely on who says where machines meet."""

import socket

import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.learning.distributed.endpoint import is_here


@pytest.mark.parametrize("host", ["nowhere.invalid", "a..b", "x" * 70, "\udcff"])
def test_a_host_that_cannot_be_is_refused(host: str):
    with pytest.raises(UserError, match="there is no machine"):
        is_here(f"{host}:29400")


def test_a_name_that_stands_for_this_machine_on_itself_only_is_refused(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(socket, "gethostbyname", lambda _: "127.0.1.1")  # as Debian writes its own name into /etc/hosts
    with pytest.raises(UserError, match=r"knows workshop as 127\.0\.1\.1, which no other one reaches"):
        is_here("workshop:29400")
