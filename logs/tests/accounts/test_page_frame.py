"""What all pages share: preferences in cookies, the sign-in and the error pages."""

import json
import re

import pytest
from django.template.loader import render_to_string


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("theme", "attribute"), [("dark", ' data-theme="dark"'), ("light", ' data-theme="light"'), ('"><b>', ""), ("", "")]
)
def test_a_chosen_theme_is_in_the_html_so_that_nothing_flashes(client, theme, attribute):
    client.cookies["theme"] = theme
    page = client.get("/sign-in/").content.decode()
    assert f'<html lang="en"{attribute} data-shortcuts="on">' in " ".join(page.split())


@pytest.mark.django_db
@pytest.mark.parametrize(("cookie", "served"), [("off", "off"), ("on", "on"), ("x", "on")])
def test_shortcuts_are_off_only_if_switched_off(client, cookie, served):
    client.cookies["shortcuts"] = cookie
    assert f'data-shortcuts="{served}"' in client.get("/sign-in/").content.decode()


@pytest.mark.django_db
def test_no_page_frame_has_a_style_or_a_script_that_the_policy_blocks(client):
    page = client.get("/sign-in/").content.decode()
    assert re.findall(r"<style|\sstyle=|\son\w+=|<script(?![^>]*\ssrc=)", page) == []


@pytest.mark.django_db
def test_htmx_neither_evaluates_code_nor_caches_pages(client):
    page = client.get("/sign-in/").content.decode()
    [config] = map(json.loads, re.findall(r"name=\"htmx-config\"\s+content='([^']+)'", page))
    assert (config["allowEval"], config["allowScriptTags"], config["historyCacheSize"]) == (False, False, 0)


@pytest.mark.django_db
def test_htmx_activates_swapped_content_at_once(client):
    """A new button with the focus must submit its form by htmx from the start."""
    page = client.get("/sign-in/").content.decode()
    [config] = map(json.loads, re.findall(r"name=\"htmx-config\"\s+content='([^']+)'", page))
    assert config["defaultSettleDelay"] == 0


@pytest.mark.django_db
def test_a_wrong_password_says_so_and_keeps_the_name(client):
    page = client.post("/sign-in/", {"username": "ana", "password": "wrong"}).content.decode()
    assert 'role="alert"' in page
    assert 'value="ana"' in page


@pytest.mark.django_db
def test_the_language_can_be_changed_before_signing_in(client):
    client.post("/language/", {"language": "es", "next": "/sign-in/"})
    assert '<html lang="es"' in client.get("/sign-in/").content.decode()


@pytest.mark.django_db
def test_a_missing_page_explains_what_to_do(client):
    answer = client.get("/nothing/")
    assert answer.status_code == 404
    assert '<a class="btn" href="/">' in answer.content.decode()


@pytest.mark.django_db
def test_the_navigation_offers_only_what_the_role_allows(client, member):
    client.force_login(member("Viewer"))
    page = client.get("/nothing/").content.decode()
    expected = ["/", "/incidents/", "/logs/", "/queues/", "/redeliveries/", "/subscriptions/"]
    assert re.findall(r'<li>\s*<a href="([^"]+)"', page) == expected


@pytest.mark.django_db
def test_the_help_lists_the_shortcut_of_each_page_in_the_navigation(client, member):
    client.force_login(member("Viewer"))
    page = client.get("/nothing/").content.decode()
    links = re.findall(r'data-go="(\w)"[^>]*>(\w+)', page)
    helped = re.findall(r"<kbd>g</kbd> <kbd>(\w)</kbd></dt><dd>Go to (\w+)</dd>", page)
    assert len(links) == 6
    assert sorted(links) == sorted(helped)


@pytest.mark.parametrize("name", ["400.html", "500.html"])
def test_the_error_pages_need_no_request_and_no_database(name):
    page = render_to_string(name)
    assert "<h1>" in page
    assert '<a class="btn" href="/">' in page
