"""Fetching from an address that a stranger gave, without being led into the own network."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Collection, Mapping

import anyio
import httpx

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


class NotFetched(Exception):
    """An address from which nothing was fetched.

    Attributes:
        reason: Short code in snake_case: ``address_refused``, ``not_fetched``, ``too_many_bytes``.
        detail: A sentence for people.
        status: Of the answer of its server; 0 where there was none.
        headers: Of that answer.
    """

    def __init__(self, reason: str, detail: str, status: int = 0, headers: Mapping[str, str] | None = None) -> None:
        """Keep all of it."""
        super().__init__(reason, detail)
        self.reason, self.detail, self.status, self.headers = reason, detail, status, headers or {}


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


def new_client(**headers: str) -> httpx.AsyncClient:
    """Make a client for one host, which follows no redirects and uses no proxies of the environment.

    Connections go to an address, and a certificate is checked only when one is opened: a client that is used for two
    names of an address would take that of one for the other.

    Args:
        **headers: That each request has.
    """
    return httpx.AsyncClient(trust_env=False, follow_redirects=False, headers=headers)


async def fetch(
    url: str,
    max_bytes: int,
    client: httpx.AsyncClient | None = None,
    own_hosts: Collection[str] = (),
    seconds: float = _SECONDS,
) -> bytes:
    """Fetch a file over http or https.

    The host is resolved once; all of its addresses must be public, and the connection goes to the first of them,
    whatever the name means a moment later.

    Args:
        url: Where it lies: the usual port, no user name or password.
        max_bytes: What is more than this is not read.
        client: Of this host, from ``new_client``; without, one is made for this file.
        own_hosts: As ``HOST:PORT``, those that are fetched from wherever they lie.
        seconds: That all of it may take.

    Raises:
        NotFetched: If the address is refused, cannot be fetched, or holds too large a file.
    """
    wanted = _parse(url, own_hosts)
    is_own = _place(wanted) in own_hosts
    try:
        with anyio.fail_after(seconds):
            addresses = await resolve(wanted.raw_host.decode("ascii"), wanted.port or _PORTS[wanted.scheme])
            if not addresses or not (is_own or all(map(is_public, addresses))):
                raise _refused("it does not lead to the public internet")
            if client is not None:
                return await get_from(client, addresses[0], wanted, max_bytes)
            async with new_client(accept="image/*") as once:
                return await get_from(once, addresses[0], wanted, max_bytes)
    except TimeoutError:
        raise _failed("it took too long") from None
    except (OSError, UnicodeError):
        raise _failed("there is no such host") from None
    except httpx.HTTPError as error:
        raise _failed(f"the connection failed: {type(error).__name__}") from None


def _place(wanted: httpx.URL) -> str:
    return f"{wanted.host}:{wanted.port or _PORTS[wanted.scheme]}"


def _parse(url: str, own_hosts: Collection[str]) -> httpx.URL:
    try:
        wanted = httpx.URL(url) if len(url) <= _MAX_URL else None
    except (httpx.InvalidURL, UnicodeError):
        wanted = None
    if wanted is None or wanted.scheme not in _PORTS or not wanted.host:
        raise _refused("it is not the http or https address of a file")
    if wanted.userinfo or (wanted.port is not None and _place(wanted) not in own_hosts):
        raise _refused("it names a port, a user or a password")
    return wanted


async def get_from(client: httpx.AsyncClient, address: str, wanted: httpx.URL, max_bytes: int) -> bytes:
    """Get a file from one address of its host, which has been checked.

    Args:
        client: Of the host.
        address: The IP address to connect to.
        wanted: Names the host, for the certificate and the ``Host`` header, and the file.
        max_bytes: What is more than this is not read.

    Raises:
        NotFetched: If its server answers anything but 200, or the file is too large.
        httpx.HTTPError: If the connection fails.
    """
    name = wanted.raw_host.decode("ascii")
    host = f"[{name}]" if ":" in name else name
    async with client.stream(
        "GET",
        wanted.copy_with(host=address),
        headers={"host": f"{host}:{wanted.port}" if wanted.port else host, "accept-encoding": "identity"},
        extensions={"sni_hostname": name},
        timeout=None,  # the caller has one for all of it
    ) as response:
        if response.status_code != 200:
            raise _failed(f"its server answered {response.status_code}", response.status_code, response.headers)
        content = bytearray()
        async for chunk in response.aiter_raw():
            content += chunk
            if len(content) > max_bytes:
                raise NotFetched("too_many_bytes", f"The file at this address has more than {max_bytes:,} bytes.")
    return bytes(content)


def _refused(why: str) -> NotFetched:
    return NotFetched("address_refused", f"This address is not fetched: {why}.")


def _failed(why: str, status: int = 0, headers: Mapping[str, str] | None = None) -> NotFetched:
    return NotFetched("not_fetched", f"This address could not be fetched: {why}.", status, headers)
