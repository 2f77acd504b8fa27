"""A person's preferences for a browser, kept in its cookies: they apply before sign-in, and cost no query."""

from __future__ import annotations

import zoneinfo
from collections.abc import Mapping
from dataclasses import dataclass

KNOWN_ZONES = zoneinfo.available_timezones()
ZONE_COOKIES = ("zone", "timezone")  # the chosen one comes before the browser's, which a script sets
COOKIE_AGE = 365 * 24 * 3600
ALLOWED_VALUES = {
    "theme": ("light", "dark"),
    "density": ("roomy",),
    "times": ("exact",),
    "shortcuts": ("off",),
}  # by cookie


def timezone_from_cookies(cookies: Mapping[str, str], names: tuple[str, ...] = ZONE_COOKIES) -> str:
    """The first one that is an IANA time zone; "" if there is none."""
    return next((zone for name in names if (zone := cookies.get(name, "")) in KNOWN_ZONES), "")


@dataclass(frozen=True)
class Preferences:
    """ "" stands for the default. Unknown values are ignored."""

    theme: str = ""  # light, dark; else the system's
    density: str = ""  # roomy; else compact
    times: str = ""  # exact; else ages
    shortcuts: str = ""  # off; else on
    zone: str = ""  # an IANA name; else the browser's

    @classmethod
    def of(cls, cookies: Mapping[str, str]) -> Preferences:
        chosen = {name: value for name, values in ALLOWED_VALUES.items() if (value := cookies.get(name, "")) in values}
        return cls(**chosen, zone=timezone_from_cookies(cookies, ("zone",)))
