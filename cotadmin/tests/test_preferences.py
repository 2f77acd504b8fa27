"""The page of preferences, and the effect of the choices."""

from __future__ import annotations

import re

import pytest
from django.utils import timezone

USUAL = {"language": "en", "zone": "", "times": "", "theme": "", "density": "", "shortcuts": ""}

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def person(client, django_user_model):
    """A user without a role: preferences need no data."""
    person = django_user_model.objects.create_user("eva")
    client.force_login(person)
    return person


def html_tag(page) -> str:
    return " ".join(re.findall(r"<html[^>]*>", page.content.decode())[0].split())


def checked(page) -> set[tuple[str, str]]:
    inputs = re.findall(
        r'<input class="visually-hidden" type="radio" name="(\w+)"\s+value="(\w*)" checked\s*>', page.content.decode()
    )
    return {(name, value) for name, value in inputs}


def test_preferences_need_a_sign_in(client):
    client.logout()
    assert client.get("/preferences/").headers["Location"] == "/sign-in/?next=/preferences/"
    assert client.post("/preferences/", USUAL).status_code == 302
    assert "theme" not in client.cookies


def test_the_account_menu_links_the_preferences(client):
    page = client.get("/nothing/").content.decode()
    assert '<a href="/preferences/"' in page[page.index('id="account"') :]


def test_without_a_choice_everything_has_its_default(client):
    page = client.get("/preferences/")
    assert checked(page) == {("language", "en"), *((name, "") for name in ("times", "theme", "density", "shortcuts"))}
    assert '<option value="" selected>' in page.content.decode()
    assert html_tag(page) == '<html lang="en" data-shortcuts="on">'


def test_choices_apply_to_every_page_and_are_shown(client):
    chosen = {
        "language": "es",
        "zone": "Asia/Kathmandu",
        "times": "exact",
        "theme": "dark",
        "density": "roomy",
        "shortcuts": "off",
    }
    answer = client.post("/preferences/", chosen)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/preferences/")
    page = client.get("/preferences/")
    assert html_tag(page) == (
        '<html lang="es" data-theme="dark" data-density="roomy" data-times="exact" data-shortcuts="off">'
    )
    assert html_tag(client.get("/nothing/")) == html_tag(page)
    assert checked(page) == {(name, value) for name, value in chosen.items() if name != "zone"}
    assert '<option value="Asia/Kathmandu" selected>' in page.content.decode()


def test_cookies_last_a_year_and_defaults_have_none(client):
    client.post("/preferences/", USUAL | {"theme": "dark", "zone": "Asia/Tokyo"})
    for name in ("theme", "zone", "django_language"):
        assert (client.cookies[name]["max-age"], client.cookies[name]["samesite"]) == (365 * 24 * 3600, "Lax")
    client.post("/preferences/", USUAL)
    assert {
        name: client.cookies[name].value for name in ("theme", "zone", "density", "times", "shortcuts")
    } == dict.fromkeys(("theme", "zone", "density", "times", "shortcuts"), "")


def test_the_zone_of_the_browser_is_shown_until_another_is_chosen(client):
    client.cookies["timezone"] = "America/Santiago"
    page = client.get("/preferences/").content.decode()
    assert "Browser (America/Santiago)" in page
    assert "Now, in America/Santiago: " in page
    client.post("/preferences/", USUAL | {"zone": "Etc/GMT+3"})
    client.cookies["timezone"] = "America/Lima"  # the script of every page sets it
    page = client.get("/preferences/").content.decode()
    assert "Browser (America/Lima)" in page
    assert "Now, in Etc/GMT+3: " in page
    client.post("/preferences/", USUAL)
    assert "Now, in America/Lima: " in client.get("/preferences/").content.decode()


def test_every_zone_of_iana_can_be_chosen(client):
    page = client.get("/preferences/").content.decode()
    zones = {"UTC", "America/Argentina/Buenos_Aires", "Pacific/Chatham", "Etc/GMT-14"}
    assert zones <= set(re.findall(r'<option value="([^"]+)"', page))
    assert '<optgroup label="America">' in page


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("zone", "Mars/Olympus"),
        ("theme", "pink"),
        ("density", "x"),
        ("times", "x"),
        ("language", "xx"),
        ("language", ""),
    ],
)
def test_an_unknown_value_is_rejected_and_nothing_is_stored(client, name, value):
    answer = client.post("/preferences/", USUAL | {"density": "roomy", name: value})
    assert answer.status_code == 422
    assert 'class="error"' in answer.content.decode()
    assert "density" not in client.cookies


@pytest.mark.parametrize("cookie", ["theme", "density", "times", "zone"])
def test_an_invalid_cookie_is_ignored(client, cookie):
    client.cookies[cookie] = '"><b>'
    page = client.get("/preferences/")
    assert html_tag(page) == '<html lang="en" data-shortcuts="on">'
    assert f"Now, in {timezone.get_default_timezone_name()}: " in page.content.decode()
