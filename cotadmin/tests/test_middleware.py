"""The zone of a page: the chosen one, otherwise that of the browser; each is in a cookie."""

import pytest
from django.http import HttpResponse
from django.test import RequestFactory
from django.utils import timezone

from cotadmin.middleware import TimezoneMiddleware


@pytest.mark.parametrize(
    ("cookie", "zone"),
    [
        (None, "UTC"),
        ("America/Santiago", "America/Santiago"),
        ("Etc/GMT+3", "Etc/GMT+3"),
        ("Mars/Olympus", "UTC"),
        ("../../etc/passwd", "UTC"),
        ("", "UTC"),
    ],
)
def test_a_page_uses_the_zone_of_the_cookie_if_it_exists(settings, cookie, zone):
    settings.TIME_ZONE = "UTC"
    request = RequestFactory().get("/")
    if cookie is not None:
        request.COOKIES["timezone"] = cookie
    page = TimezoneMiddleware(lambda request: HttpResponse(str(timezone.get_current_timezone())))
    assert page(request).content.decode() == zone


def test_a_chosen_zone_takes_precedence_over_the_browsers():
    request = RequestFactory().get("/")
    request.COOKIES |= {"zone": "Asia/Tokyo", "timezone": "America/Santiago"}
    page = TimezoneMiddleware(lambda request: HttpResponse(timezone.get_current_timezone_name()))
    assert page(request).content.decode() == "Asia/Tokyo"
    request.COOKIES["zone"] = "Mars/Olympus"
    assert page(request).content.decode() == "America/Santiago"


def test_the_next_request_does_not_inherit_the_zone():
    request = RequestFactory().get("/")
    request.COOKIES["timezone"] = "Asia/Tokyo"
    before = timezone.get_current_timezone_name()
    TimezoneMiddleware(lambda request: HttpResponse())(request)
    assert timezone.get_current_timezone_name() == before
