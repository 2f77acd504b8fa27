"""Times are shown in the zone of the browser, which its script tells in a cookie."""

import zoneinfo
from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils import timezone

KNOWN_ZONES = zoneinfo.available_timezones()


class TimezoneMiddleware:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = request.COOKIES.get("timezone", "")
        with timezone.override(zoneinfo.ZoneInfo(name) if name in KNOWN_ZONES else timezone.get_default_timezone()):
            return self.get_response(request)
