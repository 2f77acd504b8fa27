"""Middleware of every page: the sign-in, the time zone, and checks for content that no request may have."""

import re
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

# Characters that change the direction of the text after them: one in a name makes the name and the rest of a page misread.
_BIDI = re.compile("[\u202a-\u202e\u2066-\u2069]")
# Parts that aren't visible text: tags with their attributes, and fields, whose content comes back with the form.
_NO_TEXT = re.compile(r"(<(?:textarea|script|style)\b.*?</(?:textarea|script|style)>|<[^>]*>)", re.DOTALL)
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")


class TimezoneMiddleware:
    """Shows times in the zone that the person chose, else in the browser's, which a script stores in a cookie."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        name = timezone_from_cookies(request.COOKIES)
        with timezone.override(zoneinfo.ZoneInfo(name) if name else timezone.get_default_timezone()):
            return self.get_response(request)


class NoStoreMiddleware:
    """Keeps browsers and proxies from storing pages, partials and errors: somebody else may use the browser next."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_file = request.path.startswith(settings.STATIC_URL) and response.status_code < 400
        if not is_file and "no-store" not in response.get("Cache-Control", ""):
            response["Cache-Control"] = "no-store"
        return response


class MalformedHeadersMiddleware:
    """Ignores a header that should contain a URL and doesn't; rejects a form that is not UTF-8."""

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
    """Rejects a NUL in a URL of the admin: Django passes it to PostgreSQL, whose text can't contain one, and answers 500."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        is_of_admin = request.path_info.startswith(reverse("admin:index"))
        if is_of_admin and ("\0" in request.path_info or "%00" in request.META["QUERY_STRING"]):
            raise BadRequest("the URL contains a NUL")
        return self.get_response(request)


class VisibleBidiMiddleware:
    """Writes out each character that changes the text direction, as \\u202e. In attributes and fields they stay unchanged."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if not response.streaming and response.get("Content-Type", "").startswith("text/html"):
            page = response.text
            if _BIDI.search(page):
                parts = _NO_TEXT.split(page)
                parts[::2] = [_BIDI.sub(lambda letter: f"\\u{ord(letter[0]):04x}", text) for text in parts[::2]]
                response.content = "".join(parts)
        return response


class LoginMiddleware(LoginRequiredMiddleware):
    """Every view requires sign-in unless it opts out; for htmx, the whole page is redirected to the sign-in page."""

    def handle_no_permission(self, request: HttpRequest, view_func) -> HttpResponse:  # type: ignore[override]
        htmx: HtmxDetails = request.htmx  # type: ignore[attr-defined]  # set by its middleware
        if not htmx:
            return super().handle_no_permission(request, view_func)
        came_from = htmx.current_url_abs_path or "/"
        answer = HttpResponseClientRedirect(redirect_to_login(came_from).url)
        answer.status_code = 401
        return answer
