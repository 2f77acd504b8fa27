"""What goes around every page, beside the sign-in: the zone of its times, and what no address of the admin site may hold."""

import zoneinfo
from collections.abc import Callable

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone

from .preferences import known_zone


class TimezoneMiddleware:
    """Times are shown in the zone that the person has chosen, else in that of the browser, which its script tells in a cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = known_zone(request.COOKIES)
        with timezone.override(zoneinfo.ZoneInfo(name) if name else timezone.get_default_timezone()):
            return self.get_response(request)


class AdminAddressMiddleware:
    """Django's admin site gives a NUL in an address to PostgreSQL, which has none in its texts: an error of the server's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_of_admin = request.path_info.startswith(reverse("admin:index"))
        if is_of_admin and ("\0" in request.path_info or "%00" in request.META["QUERY_STRING"]):
            raise BadRequest("there is a NUL in the address")
        return self.get_response(request)
