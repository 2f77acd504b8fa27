"""Every page, light and dark, in English and Spanish, narrow and wide: accessible, within the CSP, nothing cut off."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from playwright.sync_api import Page, Response, expect

from logs.models import WebhookLog

from ..factories import import_logs, log_document, make_subscription
from . import axe
from .content import (
    INACTIVE_SUBSCRIPTION,
    MARKUP,
    OBJECT,
    OTHER_SUBSCRIPTION,
    PAUSED_SUBSCRIPTION,
    RETRYING_SUBSCRIPTION,
    Content,
    make_content,
)
from .page_state import WIDTHS, overflow

LANGUAGES = ("en", "es")


@dataclass(frozen=True)
class Visit:
    """Where a page is, what it answers, and who looks at it: "administrator", "newcomer" without a company, "stranger" without
    a role, "nobody"."""

    path: str | Callable[[Content], str]
    status: int = 200
    who: str = "administrator"

    def address(self, content: Content) -> str:
        return self.path if isinstance(self.path, str) else self.path(content)


def log_page(name: str, part: str = "") -> Callable[[Content], str]:
    return lambda content: getattr(content, name).get_absolute_url() + part


def subscription_page(part: str = "") -> Callable[[Content], str]:
    return lambda content: content.subscription.get_absolute_url() + part


def bulk_page(name: str, part: str = "") -> Callable[[Content], str]:
    return lambda content: getattr(content.bulks, name).get_absolute_url() + part


def superseded_log(content: Content, part: str) -> str:
    return content.bulks.plan.items.order_by("number")[0].log.get_absolute_url() + part


def comparison(this: WebhookLog, that: WebhookLog) -> str:
    return f"{this.get_absolute_url()}compare/{that.pk}/"


PAGES = {
    "overview": Visit("/"),
    "overview, 30 days": Visit("/?range=30d"),
    "overview, a range is wrong": Visit("/?range=2h", status=422),
    "queues": Visit("/queues/"),
    "queues, after the first": Visit(lambda content: f"/queues/?after=0~0~{'0' * 24}~"),
    "queues, none": Visit("/queues/", who="newcomer"),
    "queues, an address is wrong": Visit("/queues/?colour=red", status=422),
    "incidents": Visit("/incidents/"),
    "incidents, resolved": Visit("/incidents/?state=resolved"),
    "incidents, none": Visit("/incidents/", who="newcomer"),
    "incidents, a filter is wrong": Visit("/incidents/?colour=red", status=422),
    "incident": Visit(lambda content: content.incident.get_absolute_url()),
    "logs": Visit("/logs/"),
    "logs, filtered": Visit("/logs/?state=failed&cause=http_5xx&q=alert"),
    "logs, none matches": Visit("/logs/?q=nowhere&state=failed"),
    "logs, a filter is wrong": Visit("/logs/?colour=red", status=422),
    "logs, the search is wrong": Visit("/logs/?q=alert+stat:failed+sub:nobody", status=422),
    "saved views": Visit("/saved-views/"),
    "save a view": Visit("/saved-views/new/?state=failed"),
    "change a view": Visit(lambda content: f"/saved-views/{content.view.pk}/"),
    "delete a view?": Visit(lambda content: f"/saved-views/{content.view.pk}/delete/"),
    "log": Visit(log_page("edit")),
    "log of a list": Visit(log_page("hostile", "?state=failed&q=alert&sort=oldest")),
    "log, changes": Visit(log_page("edit", "changes/")),
    "log, request": Visit(log_page("edit", "request/")),
    "log, response": Visit(log_page("edit", "response/")),
    "log, delivered": Visit(log_page("delivered", "response/")),
    "log, hostile": Visit(log_page("hostile")),
    "log, hostile changes": Visit(log_page("hostile", "changes/")),
    "log, found in the payload": Visit(log_page("hostile", "?find=alert&at=/data/list/0")),
    "log, found by a search": Visit(log_page("hostile", "?q=alert")),
    "logs, found by a search": Visit("/logs/?q=alert"),
    "log, raw payload": Visit(log_page("hostile", "payload/raw/")),
    "history of an object": Visit(f"/objects/{OBJECT}/"),
    "history of an object without logs": Visit(f"/objects/{OBJECT[::-1]}/", status=404),
    "compare two logs": Visit(lambda content: comparison(content.delivered, content.hostile)),
    "compare logs of different objects": Visit(lambda content: comparison(content.edit, content.hostile), status=404),
    "payload chunk": Visit(log_page("hostile", "payload/?pointer=/data")),
    "redeliver again?": Visit(log_page("delivered", "redeliveries/new/")),
    "redeliver by id": Visit("/redeliveries/new/"),
    "redeliver a superseded log?": Visit(lambda content: superseded_log(content, "redeliveries/new/")),
    "log, superseded": Visit(lambda content: superseded_log(content, "response/")),
    "bulk redeliveries": Visit("/redeliveries/"),
    "bulk redeliveries, no older": Visit("/redeliveries/?before=1"),
    "bulk redeliveries, an invalid cursor": Visit("/redeliveries/?before=x", status=422),
    "plan": Visit(bulk_page("plan")),
    "plan, with unknown choices": Visit(bulk_page("plan", "?colour=red"), status=422),
    "plan, nothing to send": Visit(bulk_page("empty")),
    "plan, none": Visit(bulk_page("problem")),
    "plan, being created": Visit(bulk_page("planning")),
    "plan, its logs": Visit(bulk_page("plan", "results/?outcome=superseded")),
    "bulk redelivery": Visit(bulk_page("running")),
    "bulk redelivery, paused": Visit(bulk_page("paused")),
    "bulk redelivery, finished": Visit(bulk_page("finished")),
    "bulk redelivery, stopped": Visit(bulk_page("stopped")),
    "results": Visit(bulk_page("stopped", "results/")),
    "results, none": Visit(bulk_page("stopped", "results/?outcome=waiting")),
    "results, a filter is wrong": Visit(bulk_page("stopped", "results/?colour=red"), status=422),
    "redeliver with changes": Visit(log_page("edit", "overrides/new/")),
    "redeliver with changes, not possible": Visit(log_page("waiting", "overrides/new/")),
    "override": Visit(log_page("hostile", "overrides/4/")),
    "log with an override": Visit(log_page("hostile", "request/")),
    "subscriptions": Visit("/subscriptions/"),
    "subscriptions, blocked": Visit("/subscriptions/?state=blocked"),
    "subscription": Visit(subscription_page()),
    "subscription without URL": Visit(f"/subscriptions/{OTHER_SUBSCRIPTION}/"),
    "subscription, new": Visit("/subscriptions/new/"),
    "subscription, edit": Visit(subscription_page("edit/")),
    "subscription, queue paused": Visit(f"/subscriptions/{PAUSED_SUBSCRIPTION}/"),
    "subscription, inactive with waiting events": Visit(f"/subscriptions/{INACTIVE_SUBSCRIPTION}/"),
    "subscription, queue between attempts": Visit(f"/subscriptions/{RETRYING_SUBSCRIPTION}/"),
    "skip the waiting events?": Visit(f"/subscriptions/{INACTIVE_SUBSCRIPTION}/queue/skip/"),
    "who delivers?": Visit(subscription_page("delivery/")),
    "where it goes": Visit(subscription_page("url-check/")),
    "log, waiting": Visit(log_page("waiting", "response/")),
    "log, skipped": Visit(log_page("skipped")),
    "log, payload expired": Visit(log_page("expired")),
    "skip an event?": Visit(log_page("waiting", "skip/")),
    "share": Visit(log_page("edit", "share-links/")),
    "share, links": Visit(log_page("hostile", "share-links/")),
    "shared log": Visit(lambda content: content.shared, who="nobody"),
    "shared log, for a colleague": Visit(lambda content: content.shared),
    "shared log, nothing": Visit("/shared/nothing/", status=404, who="nobody"),
    "inbound endpoints": Visit("/inbound-endpoints/"),
    "retention": Visit("/retention/"),
    "retention, days are wrong": Visit("/retention/confirm/?payload_days=90&log_days=x", status=422),
    "change the retention?": Visit("/retention/confirm/?payload_days=30&log_days=400"),
    "imports": Visit("/imports/"),
    "import": Visit(lambda content: content.upload.get_absolute_url()),
    "preferences": Visit("/preferences/"),
    "sign-in": Visit("/sign-in/?next=/logs/", who="nobody"),
    "not found": Visit("/nowhere/", status=404),
    "forbidden": Visit("/logs/", status=403, who="stranger"),
    "admin": Visit("/admin/"),
    "admin, logs": Visit("/admin/logs/webhooklog/"),
    "admin, log": Visit(lambda content: f"/admin/logs/webhooklog/{content.hostile.pk}/change/"),
    "admin, delete a log?": Visit(lambda content: f"/admin/logs/webhooklog/{content.hostile.pk}/delete/"),
    "admin, subscriptions": Visit("/admin/logs/subscription/?q=a"),
    "admin, new subscription": Visit("/admin/logs/subscription/add/"),
    "admin, users": Visit("/admin/auth/user/"),
    "admin, user": Visit(lambda content: f"/admin/auth/user/{content.view.owner_id}/change/"),
}


@pytest.fixture
def content(administrator) -> Content:
    return make_content(administrator)


@pytest.fixture
def visit(open_page, live_server, administrator, member, django_user_model, complaints, content) -> Callable[..., Page]:
    """`visit(to, "es")`: open a page in a language, in the browser of the person whom it is for; without one, as it comes."""

    stranger = django_user_model.objects.create_user("eva")
    newcomer = member("Viewer")
    newcomer.companies.clear()
    people = {"administrator": administrator, "newcomer": newcomer, "stranger": stranger, "nobody": None}
    pages: dict[str, Page] = {}

    def go(to: Visit, language: str = "") -> Page:
        complaints.expect_only({to.status} - {200})
        page = pages[to.who] = pages.get(to.who) or open_page(people[to.who])
        if language:
            cookie = {"name": settings.LANGUAGE_COOKIE_NAME, "value": language, "url": live_server.url}
            page.context.add_cookies([cookie])
        answer = page.goto(to.address(content))
        assert answer is not None
        assert answer.status == to.status
        if language:
            expect(page.locator("html")).to_have_attribute("lang", language)
        return page

    return go


def groups_of(names: list[str], size: int = 8) -> list[list[str]]:
    """Pages for one test: creating their data takes as long as checking a page."""
    return [names[start : start + size] for start in range(0, len(names), size)]


@pytest.mark.parametrize("names", groups_of(list(PAGES)), ids=" | ".join)
def test_pages_are_accessible_and_fit(visit, names):
    problems = {}
    for name in names:
        for language in LANGUAGES:
            page = visit(PAGES[name], language)
            is_first = language == LANGUAGES[0]  # another has other names, but the same colours and layout
            without = [] if is_first else axe.OF_COLOURS
            problems[f"{name}: axe, {language}"] = axe.violations(page, without=without)
            for width in WIDTHS:
                page.set_viewport_size({"width": width, "height": 800})
                problems[f"{name}: overflow, {language} at {width}"] = overflow(page)
            if is_first:
                problems[f"{name}: axe, narrow"] = axe.violations(page)
                page.emulate_media(color_scheme="dark")
                problems[f"{name}: axe, dark"] = axe.violations(page, rules=axe.OF_COLOURS)
                page.emulate_media(color_scheme="light")
            page.set_viewport_size({"width": WIDTHS[0], "height": 800})
    assert {what: list_ for what, list_ in problems.items() if list_} == {}


def test_markup_in_the_data_is_escaped_on_every_page(page, complaints, content):
    complaints.expected_statuses |= {404, 422}
    problems = {}
    for name, to in PAGES.items():
        if to.who == "administrator":
            page.goto(to.address(content))
            problems[name] = page.locator("img[src=x], script:not([src])").count()
            assert "alert(1)>49" not in page.content()  # {{ 7*7 }}, worked out
    assert {name: count for name, count in problems.items() if count} == {}


@pytest.mark.parametrize("path", ["", "changes/", "request/", "response/"])
def test_every_part_of_a_hostile_log_shows_its_exact_name(visit, content, path):
    page = visit(Visit(log_page("hostile", path)))
    expect(page.get_by_role("heading", level=1)).to_have_text(MARKUP)


def test_a_payload_shows_hostile_keys_and_values_in_full(visit):
    page = visit(PAGES["log, hostile"])
    tree = page.locator(".tree")
    expect(tree.locator(".key", has_text=MARKUP)).to_have_text(MARKUP)
    node = tree.locator("details", has=page.locator("> summary", has_text="list"))
    node.locator("> summary").click()
    expect(node.locator(".string")).to_have_text(MARKUP)
    tree.get_by_role("link", name="Show all").click()
    expect(tree.locator(".string", has_text=MARKUP * 20)).to_have_count(1)


# What a first view may cost.


def packed(data: bytes) -> int:
    return len(gzip.compress(data, 9))


def static_file(name: str) -> bytes:
    return Path(finders.find(f"logs/{name}")).read_bytes()


def test_styles_and_scripts_stay_small():
    assert packed(static_file("cotadmin.css")) <= 12 * 1024
    ours = sum(packed(file.read_bytes()) for file in (settings.BASE_DIR / "logs/static/logs/js").glob("*.js"))
    assert ours < 11 * 1024
    assert packed(static_file("htmx.min.js")) + ours <= 28 * 1024  # of which 3.5 KB are loaded on focus


def test_the_first_view_of_a_full_explorer_stays_small(page):
    make_subscription()
    import_logs(*(log_document(number) for number in range(60)))
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    first = page.goto("/logs/")
    expect(page.locator("[data-rows] tr[data-log]")).to_have_count(50)
    page.wait_for_load_state("networkidle")
    assert first
    assert first.headers["content-encoding"] == "gzip"
    assert first.request.sizes()["responseBodySize"] <= 17 * 1024
    sizes = {answer.url: packed(answer.body()) for answer in answers}
    assert [answer.url for answer in answers if answer.request.resource_type == "font"] == []
    assert sum(sizes.values()) <= 60 * 1024
    # The page, its stylesheet, icons, htmx and three modules (docs/adr/0027-css-and-javascript-modules.md)
    assert len(answers) <= 8, sizes
    assert page.evaluate("document.querySelectorAll('*').length") <= 4500


def test_a_list_loads_more_three_times_by_itself_and_then_on_request(page):
    make_subscription()
    import_logs(*(log_document(number) for number in range(270)))
    page.goto("/logs/")
    rows = page.locator("[data-rows] tr[data-log]")
    more = page.get_by_role("link", name="Load 50 more")
    expect(rows).to_have_count(50)
    for count in (100, 150, 200):
        more.scroll_into_view_if_needed()
        expect(rows).to_have_count(count)
    expect(page.locator("body")).to_be_focused()  # loading by itself leads nowhere else
    more.scroll_into_view_if_needed()
    more.click()
    expect(rows).to_have_count(250)
    expect(rows.nth(200).locator("[data-row-link]")).to_be_focused()
    more.click()
    expect(rows).to_have_count(270)
    expect(more).to_have_count(0)
