"""Where machines that train together meet."""

from __future__ import annotations

import socket

import psutil

from guitar_kedro.errors import UserError


def address_towards(endpoint: str | None) -> tuple[str, str]:
    """Return the address and the network interface of this machine that others reach from the endpoint.

    Args:
        endpoint: ``host:port``; ``None`` stands for this machine alone.

    Raises:
        UserError: If there is no such host, or no way to it.
    """
    if endpoint is None:
        address = "127.0.0.1"
    else:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:  # nothing is sent
            try:
                asked.connect(_resolved(endpoint))
            except OSError as error:
                raise UserError(
                    f"rdzv_endpoint={endpoint}: no network of this machine leads there ({error})."
                ) from None
            address = asked.getsockname()[0]
    interfaces = {each.address: name for name, addresses in psutil.net_if_addrs().items() for each in addresses}
    return address, interfaces.get(address, "")


def is_here(endpoint: str | None) -> bool:
    """Return whether the endpoint is on this machine.

    Args:
        endpoint: ``host:port``; ``None`` stands for this machine alone.

    Raises:
        UserError: If there is no such host, or no way to it.
    """
    return endpoint is None or address_towards(endpoint)[0] == _resolved(endpoint)[0]


def _resolved(endpoint: str) -> tuple[str, int]:
    host, _, port = endpoint.rpartition(":")
    try:
        address = socket.gethostbyname(host)
    except (OSError, UnicodeError):  # of a name that cannot be one, Python says the latter
        raise UserError(f"rdzv_endpoint={endpoint}: there is no machine {host}; name one of the machines.") from None
    if address.startswith("127.") and address != host:
        raise UserError(
            f"rdzv_endpoint={endpoint}: this machine knows {host} as {address}, which no other one reaches; give its "
            "address in the network that they share."
        )
    return address, int(port)
