"""What goes around every page: the sign-in, the zone of its times, and what no request may hold."""

import zoneinfo
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from django.conf import settings
from django.contrib.auth.middleware import LoginRequiredMiddleware
from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django_htmx.http import HttpResponseClientRedirect
from django_htmx.middleware import HtmxDetails

from .encoding import REFUSED
from .preferences import timezone_from_cookies

_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class TimezoneMiddleware:
    """Times are shown in the zone that the person has chosen, else in that of the browser, which its script tells in a cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = timezone_from_cookies(request.COOKIES)
        with timezone.override(zoneinfo.ZoneInfo(name) if name else timezone.get_default_timezone()):
            return self.get_response(request)


class NoStoreMiddleware:
    """No browser and no proxy keeps what it was sent, be it a page, a part of one or an error: others may use them next."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_file = request.path.startswith(settings.STATIC_URL) and response.status_code < 400
        if not is_file and "no-store" not in response.get("Cache-Control", ""):
            response["Cache-Control"] = "no-store"
        return response


class MalformedHeadersMiddleware:
    """A header that should hold an address and holds none counts as not sent; a form that is not UTF-8 is refused."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        for name in ("HTTP_REFERER", "HTTP_HX_CURRENT_URL"):
            if not _is_address(request.META.get(name, "")):
                del request.META[name]
        if request.META.get(REFUSED) and request.content_type in _FORMS:
            raise BadRequest("the form is not UTF-8")
        return self.get_response(request)


def _is_address(text: str) -> bool:
    try:
        urlsplit(text)
        urlsplit(unquote(text))  # htmx may send it encoded
    except ValueError:
        return False
    return True


class NullByteMiddleware:
    """Django's admin site gives a NUL in an address to PostgreSQL, which has none in its texts: an error of the server's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_of_admin = request.path_info.startswith(reverse("admin:index"))
        if is_of_admin and ("\0" in request.path_info or "%00" in request.META["QUERY_STRING"]):
            raise BadRequest("the URL contains a NUL")
        return self.get_response(request)


class LoginMiddleware(LoginRequiredMiddleware):
    """Every view asks for a login unless it says otherwise; htmx is sent to the login page as a whole page."""

    def handle_no_permission(self, request: HttpRequest, view_func) -> HttpResponse:  # type: ignore[override]
        htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
        if not htmx:
            return super().handle_no_permission(request, view_func)
        came_from = htmx.current_url_abs_path or "/"
        answer = HttpResponseClientRedirect(redirect_to_login(came_from).url)
        answer.status_code = 401
        return answer
