"""Which pictures may be kept for their licence."""

from __future__ import annotations

import pytest

from guitar_kedro.collecting import Candidate, license_of, refusal

OPEN = ("cc0", "pdm", "by", "by-sa")
BY = "https://creativecommons.org/licenses/by/4.0/"


@pytest.mark.parametrize(
    ("words", "address", "name", "url"),
    [
        ("by 2.0", "https://creativecommons.org/licenses/by/2.0/", "CC BY 2.0", "https://creativecommons.org/licenses/by/2.0/"),
        ("CC BY-SA 4.0", "", "CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
        ("cc-by-sa 4.0", "", "CC BY-SA 4.0", "https://creativecommons.org/licenses/by-sa/4.0/"),
        (BY, "", "CC BY 4.0", BY),
        ("", "http://creativecommons.org/licenses/by-sa/3.0/de/deed.en", "CC BY-SA 3.0", None),
        ("CC BY-SA 3.0 de", "https://creativecommons.org/licenses/by-sa/3.0/de", "CC BY-SA 3.0", None),
        ("cc0", "", "CC0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/"),
        ("cc0 1.0", "https://creativecommons.org/publicdomain/zero/1.0/", "CC0 1.0", None),
        ("pdm 1.0", "", "Public Domain Mark 1.0", "https://creativecommons.org/publicdomain/mark/1.0/"),
        ("CC BY-NC-SA 2.0", "", "CC BY-NC-SA 2.0", "https://creativecommons.org/licenses/by-nc-sa/2.0/"),
    ],
)  # fmt: skip
def test_a_licence_is_known_by_its_words_or_its_address(words: str, address: str, name: str, url: str | None):
    found = license_of(Candidate("http://example.org/a.jpg", license=words, license_url=address))
    assert found is not None
    assert (found.name, found.address) == (name, url or address)


@pytest.mark.parametrize(
    ("words", "address", "reason"),
    [
        ("", "", "no_license"),
        ("All rights reserved", "", "unknown_license"),
        ("Public domain", "", "unknown_license"),
        ("CC BY", "", "unknown_license"),  # of which version?
        ("CC BY 4.0", "https://creativecommons.org/licenses/by-nc/4.0/", "unknown_license"),
        ("CC BY 4.0 and a word", "", "unknown_license"),
        ("", "https://example.org/https://creativecommons.org/licenses/by/4.0/", "unknown_license"),
        ("CC BY-NC 4.0", "", "license_not_allowed"),
        ("CC BY-ND 4.0", "", "license_not_allowed"),
        ("CC BY-SA 4.0", "", None),
    ],
)
def test_a_picture_without_a_plain_licence_that_is_allowed_is_not_kept(words: str, address: str, reason: str | None):
    why = refusal(Candidate("http://example.org/a.jpg", license=words, license_url=address), OPEN)
    assert (why[0] if why else None) == reason
