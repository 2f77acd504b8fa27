"""The navigation: its order, the active tab of every page, and the way back from every page below a tab."""

from __future__ import annotations

import html
import re

import pytest
from django.urls import get_resolver

from logs.templatetags.navigation import active_tab

from ..factories import make_company, make_log, make_subscription, make_waiting_log
from ..html import plain_text
from .site_urls import make_one_of_each, make_user, site_urls

pytestmark = pytest.mark.django_db
# Nobody reads these as pages of the site.
NO_PAGES = {"demo_delete", "live_tail_toggle", "reveal_create", "test_event_create", "test_event_send"}
NO_PAGES |= {"event_receive", "event_receive_short", "event_create", "healthz", "readyz", "metrics"}
NO_PAGES |= {"shared_log", "shared_payload", "live", "palette"}


def header_of(page: str) -> str:
    return re.search(r'<header class="topbar">.*?</header>', page, re.DOTALL)[0]


def current_in(page: str) -> list[str]:
    """The texts of the links to the current page in the header."""
    links = re.findall(r"<a\b[^>]*>.*?</a>", header_of(page), re.DOTALL)
    return [plain_text(link) for link in links if 'aria-current="page"' in link]


def test_every_url_of_a_page_belongs_to_a_tab():
    names = {pattern.name for pattern in get_resolver("logs.urls").url_patterns}
    assert {name for name in names - NO_PAGES if active_tab(name) is None} == set()


def test_every_page_has_one_active_tab(client, django_user_model):
    superuser = make_user(django_user_model, "Superuser")
    make_company().users.add(superuser)
    client.force_login(superuser)
    wrong = {}
    for url in site_urls(client, make_one_of_each(superuser, superuser)):
        if url.path.startswith(("/admin/", "/sign-", "/shared/")):
            continue
        page = client.get(url.path)
        text = "" if page.streaming else page.content.decode(errors="replace")
        if page.status_code == 200 and '<header class="topbar">' in text and len(current_in(text)) != 1:
            wrong[url.path] = current_in(text)
    assert wrong == {}


@pytest.mark.parametrize(
    ("path", "tab"),
    [
        ("/", "Overview"),
        ("/incidents/", "Incidents"),
        ("/logs/", "Logs"),
        ("/logs/{log}/share-links/", "Logs"),
        ("/queues/", "Queues"),
        ("/redeliveries/new/", "Redeliveries"),
        ("/subscriptions/{subscription}/edit/", "Subscriptions"),
        ("/subscriptions/{subscription}/queue/skip/", "Subscriptions"),
        ("/inbound-endpoints/", "Inbound endpoints"),
        ("/imports/", "Import"),
        ("/saved-views/new/?state=failed", "Saved views"),
        ("/retention/", "Retention"),
        ("/preferences/", "Preferences"),
        ("/password/", "Password"),
    ],
)
def test_a_page_below_a_tab_activates_it(client, django_user_model, path, tab):
    client.force_login(make_user(django_user_model, "Superuser"))
    given = {"subscription": make_subscription().pk, "log": make_log().pk}
    page = client.get(path.format(**given)).content.decode()
    assert current_in(page) == [tab]


def test_the_menu_is_marked_while_it_has_the_current_page(client, administrator):
    button = re.compile(
        r'<button class="btn" data-variant="quiet" type="button" popovertarget="more-pages"\s+aria-current="true">More'
    )
    assert button.search(client.get("/imports/").content.decode())
    assert not button.search(client.get("/").content.decode())


def test_the_menu_offers_only_what_the_role_allows(client, viewer, member):
    def menu() -> list[str]:
        page = client.get("/").content.decode()
        links = re.search(r'<div class="menu" id="more-pages" popover>.*?</div>', page, re.DOTALL)
        return re.findall(r'href="([^"]+)"', links[0])

    assert menu() == ["/saved-views/"]
    client.force_login(member("Administrator"))
    assert menu() == ["/saved-views/", "/imports/", "/inbound-endpoints/"]


@pytest.mark.parametrize(
    ("path", "parent"),
    [
        ("/logs/{log}/", "/logs/"),
        ("/logs/{log}/skip/", "/logs/{log}/"),
        ("/logs/{log}/redeliveries/new/", "/logs/{log}/"),
        ("/logs/{log}/overrides/new/", "/logs/{log}/"),
        ("/logs/{log}/share-links/", "/logs/{log}/"),
        ("/logs/facets/?state=failed", "/logs/?state=failed"),
        ("/redeliveries/new/", "/redeliveries/"),
        ("/saved-views/new/?state=failed", "/saved-views/"),
        ("/subscriptions/new/", "/subscriptions/"),
        ("/subscriptions/{subscription}/", "/subscriptions/"),
        ("/subscriptions/{subscription}/edit/", "/subscriptions/{subscription}/"),
        ("/subscriptions/{subscription}/delivery/", "/subscriptions/{subscription}/"),
        ("/subscriptions/{subscription}/activate/", "/subscriptions/{subscription}/"),
        ("/subscriptions/{subscription}/queue/skip/", "/subscriptions/{subscription}/"),
        ("/subscriptions/{subscription}/url-check/", "/subscriptions/{subscription}/"),
    ],
)
def test_a_page_below_another_links_back_to_it(client, django_user_model, path, parent):
    superuser = make_user(django_user_model, "Superuser")
    make_company().users.add(superuser)
    client.force_login(superuser)
    subscription = make_subscription(is_active=False)
    make_waiting_log(subscription, 1)
    given = {"log": make_log().pk, "subscription": subscription.pk}
    page = client.get(path.format(**given)).content.decode()
    links = re.findall(r'<nav class="row small" aria-label="Back"><a class="back-link" href="([^"]*)"', page)
    assert [html.unescape(link) for link in links] == [parent.format(**given)]
