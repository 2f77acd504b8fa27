"""What a person chooses for a browser. Its cookies keep it: it holds before anybody signs in, and costs no query."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass

KNOWN_ZONES = zoneinfo.available_timezones()
ZONE_COOKIES = ("zone", "timezone")  # the one that was chosen goes before that of the browser, which its script tells
COOKIE_AGE = 365 * 24 * 3600
ALLOWED_VALUES = {
    "theme": ("light", "dark"),
    "density": ("roomy",),
    "times": ("exact",),
    "shortcuts": ("off",),
}  # by cookie


def timezone_from_cookies(cookies: Mapping[str, str], names: tuple[str, ...] = ZONE_COOKIES) -> str:
    """The first that is a time zone of IANA, "" where none is."""
    return next((zone for name in names if (zone := cookies.get(name, "")) in KNOWN_ZONES), "")


@dataclass(frozen=True)
class Preferences:
    """ "" stands for what is usual. Anything but the known words is as if it were not there."""

    theme: str = ""  # light, dark; else that of the system
    density: str = ""  # roomy; else compact
    times: str = ""  # exact; else ages
    shortcuts: str = ""  # off; else on
    zone: str = ""  # of IANA; else that of the browser

    @classmethod
    def of(cls, cookies: Mapping[str, str]) -> Preferences:
        chosen = {name: value for name, values in ALLOWED_VALUES.items() if (value := cookies.get(name, "")) in values}
        return cls(**chosen, zone=timezone_from_cookies(cookies, ("zone",)))
