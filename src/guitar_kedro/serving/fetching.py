"""Fetching a picture from an address that a stranger gave, without being led into the own network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Awaitable, Callable, Sequence

import anyio
import httpx

from guitar_kedro.serving.intake import Refusal

_PORTS = {"http": 80, "https": 443}
_MAX_URL = 2000
_SECONDS = 5.0
_GLOBAL_IPV6 = ipaddress.ip_network("2000::/3")
# Addresses in which others are embedded, or that lead elsewhere by their nature: RFC 6890 and its registry of special
# addresses. Python's is_global does not know all of them, and not in all its versions.
_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "2001::/23",  # Teredo and other assignments of the IETF
        "2001:db8::/32",
        "2002::/16",  # 6to4
        "2620:4f:8000::/48",
        "3fff::/20",
        "168.63.129.16/32",  # what Azure's machines ask their host
        "192.0.0.0/24",
        "192.31.196.0/24",
        "192.52.193.0/24",
        "192.88.99.0/24",  # relays of 6to4
        "192.175.48.0/24",
    )
]

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]


def is_public(address: str) -> bool:
    """Tell whether an IP address is one of the public internet, and no disguise of another.

    IPv6 addresses are taken from 2000::/3 only: NAT64 (64:ff9b::/96, 64:ff9b:1::/48), IPv4-mapped (::ffff:0:0/96),
    IPv4-compatible, local and multicast addresses lie outside of it.
    """
    try:
        found = ipaddress.ip_address(address)
    except ValueError:  # with a zone, for one: fe80::1%eth0
        return False
    if found.version == 6 and found not in _GLOBAL_IPV6:
        return False
    if any(found.version == network.version and found in network for network in _REFUSED):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system for all addresses of a host."""
    found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(entry[4][0]) for entry in found]


async def fetch(url: str, max_bytes: int, resolve: Resolve = resolve) -> bytes:
    """Fetch a file over http or https.

    The host is resolved once; all of its addresses must be public, and the connection goes to the first of them,
    whatever the name means a moment later. Redirects are not followed, proxies of the environment not used.

    Args:
        url: Where it lies: the usual port, no user name or password.
        max_bytes: What is more than this is not read.
        resolve: Gives the addresses of a host.

    Raises:
        Refusal: 422 for an address that is not fetched, 502 for one that could not be, 413 for too large a file.
    """
    wanted = _parse(url)
    port = _PORTS[wanted.scheme]
    try:
        with anyio.fail_after(_SECONDS):
            addresses = await resolve(wanted.raw_host.decode("ascii"), port)
            if not addresses or not all(map(is_public, addresses)):
                raise _refused("it does not lead to the public internet")
            return await get_from(addresses[0], wanted, max_bytes)
    except TimeoutError:
        raise _failed("it took too long") from None
    except (OSError, UnicodeError):
        raise _failed("there is no such host") from None
    except httpx.HTTPError as error:
        raise _failed(f"the connection failed: {type(error).__name__}") from None


def _parse(url: str) -> httpx.URL:
    try:
        wanted = httpx.URL(url) if len(url) <= _MAX_URL else None
    except (httpx.InvalidURL, UnicodeError):
        wanted = None
    if wanted is None or wanted.scheme not in _PORTS or not wanted.host:
        raise _refused("it is not the http or https address of a picture")
    if wanted.userinfo or wanted.port is not None:
        raise _refused("it names a port, a user or a password")
    return wanted


async def get_from(address: str, wanted: httpx.URL, max_bytes: int) -> bytes:
    """Get a file from one address of its host, which has been checked.

    Args:
        address: The IP address to connect to.
        wanted: Names the host, for the certificate and the ``Host`` header, and the file.
        max_bytes: What is more than this is not read.

    Raises:
        Refusal: 502 where its server answers anything but 200, 413 for too large a file.
        httpx.HTTPError: If the connection fails.
    """
    host = wanted.raw_host.decode("ascii")
    async with (
        httpx.AsyncClient(trust_env=False, follow_redirects=False, timeout=_SECONDS) as client,
        client.stream(
            "GET",
            wanted.copy_with(host=address),
            headers={"host": f"[{host}]" if ":" in host else host, "accept": "image/*", "accept-encoding": "identity"},
            extensions={"sni_hostname": host},
        ) as response,
    ):
        if response.status_code != 200:
            raise _failed(f"its server answered {response.status_code}")
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > max_bytes:
                raise Refusal(413, "too_many_bytes", f"The file at this address has more than {max_bytes:,} bytes.")
    return bytes(content)


def _refused(why: str) -> Refusal:
    return Refusal(422, "address_refused", f"This address is not fetched: {why}.")


def _failed(why: str) -> Refusal:
    return Refusal(502, "not_fetched", f"This address could not be fetched: {why}.")
