"""Parameters of collecting."""

from __future__ import annotations

import re

from pydantic import Field, field_validator

from guitar_kedro import __version__
from guitar_kedro.collecting.licenses import CODES
from guitar_kedro.collecting.source import Source
from guitar_kedro.collecting.sources import all_sources
from guitar_kedro.options import Options

_CONTACT = re.compile(r"[!-~]+@[!-~]+|https?://[!-~]+")  # what a header may hold
_OWN_HOST = re.compile(r"[^\s/@]+:\d{1,5}")


class CollectOptions(Options):
    """The parameters under ``collect``.

    Attributes:
        sources: That are searched.
        licenses: Those that are allowed, as Creative Commons writes them in addresses.
        per_query: Pictures of a query that each source is asked for at most.
        contact: E-mail address or page of whoever asks.
        addresses: Of sources, where they are not the usual ones.
        own_hosts: As ``HOST:PORT``, those of the own network that may be asked; others there are refused.
    """

    sources: tuple[str, ...]
    licenses: tuple[str, ...] = Field(min_length=1)
    per_query: int = Field(ge=1, le=10_000)
    contact: str | None = None
    addresses: dict[str, str] = Field(default_factory=dict)
    own_hosts: tuple[str, ...] = ()

    @property
    def searched(self) -> list[Source]:
        """The sources that are searched."""
        known = all_sources()
        return [known[name] for name in dict.fromkeys(self.sources)]

    @property
    def user_agent(self) -> str:
        """What hosts are told of who asks."""
        import httpx  # not for all commands, which check these parameters

        who = f"guitar-kedro/{__version__} ({self.contact})" if self.contact else f"guitar-kedro/{__version__}"
        return f"{who} httpx/{httpx.__version__}"

    @field_validator("sources", "addresses")
    @classmethod
    def _are_sources(cls, names: tuple[str, ...] | dict[str, str]) -> tuple[str, ...] | dict[str, str]:
        known = all_sources()
        if unknown := [name for name in names if name not in known]:
            raise ValueError(f"there is no source {unknown[0]}, but {', '.join(sorted(known))}")
        return names

    @field_validator("licenses")
    @classmethod
    def _are_licenses(cls, codes: tuple[str, ...]) -> tuple[str, ...]:
        if unknown := [code for code in codes if code not in CODES]:
            raise ValueError(f"there is no licence {unknown[0]}, but {', '.join(CODES)}")
        return codes

    @field_validator("contact")
    @classmethod
    def _is_contact(cls, contact: str | None) -> str | None:
        if contact is not None and not _CONTACT.fullmatch(contact):
            raise ValueError("it must be an e-mail address or the address of a page")
        return contact

    @field_validator("own_hosts")
    @classmethod
    def _are_hosts(cls, hosts: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [host for host in hosts if not _OWN_HOST.fullmatch(host)]:
            raise ValueError(f"{wrong[0]} is to be HOST:PORT")
        return hosts
