"""The preferences page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from itertools import groupby

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from .preferences import COOKIE_AGE, KNOWN_ZONES, Preferences, timezone_from_cookies

UNLISTED_ZONES = {"Factory", "localtime"}  # they don't name a place
LANGUAGE = settings.LANGUAGE_COOKIE_NAME


def _one_of(label, choices) -> forms.ChoiceField:
    return forms.ChoiceField(label=label, choices=choices, required=False, widget=forms.RadioSelect)


class PreferencesForm(forms.Form):
    language = forms.ChoiceField(label=gettext_lazy("Language"), widget=forms.RadioSelect)
    zone = forms.ChoiceField(
        label=gettext_lazy("Time zone"), required=False, widget=forms.Select(attrs={"class": "input"})
    )
    times = _one_of(
        gettext_lazy("Times in lists"),
        [("", gettext_lazy("Relative (3 min ago)")), ("exact", gettext_lazy("Date and time"))],
    )
    theme = _one_of(
        gettext_lazy("Theme"),
        [
            ("", gettext_lazy("System")),
            ("light", gettext_lazy("Light")),
            ("dark", gettext_lazy("Dark")),
        ],
    )
    density = _one_of(
        gettext_lazy("Table rows"), [("", gettext_lazy("Compact")), ("roomy", gettext_lazy("Comfortable"))]
    )
    shortcuts = _one_of(gettext_lazy("Keyboard shortcuts"), [("", gettext_lazy("On")), ("off", gettext_lazy("Off"))])

    def __init__(self, data, *, browser_zone: str, **options) -> None:
        """`browser_zone`: "" if the browser has not sent one."""
        super().__init__(data, **options)
        languages = [
            (code, translation.get_language_info(code)["name_local"].capitalize()) for code, _ in settings.LANGUAGES
        ]
        self.fields["language"].choices = languages  # type: ignore[attr-defined]
        self.fields["zone"].choices = [("", _browsers(browser_zone)), *_zones()]  # type: ignore[attr-defined]


def _browsers(zone: str) -> str:
    return _("Browser (%(zone)s)") % {"zone": zone} if zone else _("Browser")


def _zones() -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """All IANA zones, by continent; zones without a continent come last."""

    def continent(zone: str) -> str:
        return zone.partition("/")[0] if "/" in zone else ""

    zones = sorted(KNOWN_ZONES - UNLISTED_ZONES, key=lambda zone: (not continent(zone), zone))
    for name, group in groupby(zones, continent):
        yield name or _("Others"), [(zone, zone.replace("_", " ")) for zone in group]


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def preferences(request: HttpRequest) -> HttpResponse:
    """Needs no permission beyond sign-in: preferences concern no data."""
    chosen = asdict(Preferences.of(request.COOKIES)) | {"language": translation.get_language()}
    form = PreferencesForm(
        request.POST or None, initial=chosen, browser_zone=timezone_from_cookies(request.COOKIES, ("timezone",))
    )
    if form.is_valid():
        with translation.override(form.cleaned_data["language"]):
            messages.success(request, _("Preferences saved in this browser."))
        return _with_cookies(redirect("preferences"), form.cleaned_data, is_secure=request.is_secure())
    context = {"form": form, "now": timezone.now()}
    return render(request, "preferences.html", context, status=422 if form.errors else 200)


def _with_cookies(answer: HttpResponse, chosen: dict[str, str], *, is_secure: bool) -> HttpResponse:
    """A default value needs no cookie. Scripts change some of the cookies too, so they can read all of them."""
    for name, value in chosen.items():
        cookie = LANGUAGE if name == "language" else name
        if value:
            answer.set_cookie(cookie, value, max_age=COOKIE_AGE, samesite="Lax", secure=is_secure)
        else:
            answer.delete_cookie(cookie, samesite="Lax")
    return answer
