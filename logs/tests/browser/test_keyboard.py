"""The keyboard only, and the preferences that the browser remembers."""

from __future__ import annotations

import json
import re

import pytest
from playwright.sync_api import Page, expect

from ..factories import import_logs, log_document, make_subscription

OLD, MIDDLE, NEW = (log_document(number) for number in range(3))


def at_log(document: dict) -> re.Pattern[str]:
    return re.compile(f"/logs/{document['_id']}/$")


def open_log(page: Page, document: dict) -> None:
    page.goto(f"/logs/{document['_id']}/")


@pytest.fixture(autouse=True)
def subscription(transactional_db, receiver):
    subscription = make_subscription(url=receiver.url)
    import_logs(OLD, MIDDLE, NEW)
    return subscription


def test_slash_focuses_the_search_and_is_not_typed(page):
    page.goto("/logs/")
    page.keyboard.press("/")
    search = page.get_by_role("combobox", name="Search logs")
    expect(search).to_be_focused()
    expect(search).to_have_value("")


def test_j_and_k_move_in_the_list_and_enter_opens(page):
    page.goto("/logs/")
    links = page.locator("[data-row-link]")
    for key, at in (("j", 0), ("j", 1), ("j", 2), ("j", 2), ("k", 1)):
        page.keyboard.press(key)
        expect(links.nth(at)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page).to_have_url(at_log(MIDDLE))


def test_brackets_move_to_the_newer_and_the_older_log(page):
    open_log(page, MIDDLE)
    page.keyboard.press("]")
    expect(page).to_have_url(at_log(OLD))
    page.keyboard.press("]")  # there is none
    page.keyboard.press("[")
    expect(page).to_have_url(at_log(MIDDLE))
    page.keyboard.press("[")
    expect(page).to_have_url(at_log(NEW))


def test_r_redelivers_the_log_on_the_page(page, worker, receiver):
    open_log(page, NEW)
    page.keyboard.press("r")
    expect(page.locator(".page-header .badge")).to_have_text("Delivered")
    assert [received.headers["webhook-id"] for received in receiver.requests] == [NEW["_id"]]
    page.keyboard.press("r")
    expect(page).to_have_url(re.compile("/redeliveries/new/$"))
    assert len(receiver.requests) == 1


@pytest.mark.parametrize(
    ("keys", "path"),
    [
        ("go", "/"),
        ("gi", "/incidents/"),
        ("gl", "/logs/"),
        ("gq", "/queues/"),
        ("gr", "/redeliveries/"),
        ("gs", "/subscriptions/"),
    ],
)
def test_g_and_a_letter_open_a_page_of_the_navigation(page, keys, path):
    page.goto("/preferences/")
    for key in keys:
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(f"//[^/]+{path}$"))


def test_the_key_after_g_does_nothing_else(page, receiver):
    open_log(page, NEW)
    for key in "gu?":
        page.keyboard.press(key)
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()  # the third key is a shortcut again
    assert not page.locator("html").get_attribute("data-times")


def test_g_leads_nowhere_while_typing_or_in_a_dialog(page):
    page.goto("/logs/")
    page.keyboard.press("/")
    page.keyboard.type("go")
    expect(page.get_by_role("combobox")).to_have_value("go")
    page.get_by_role("heading", level=1).click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keyboard shortcuts")).to_be_visible()
    page.keyboard.type("go")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(re.compile("/logs/$"))


def test_a_page_that_a_role_cannot_see_has_no_shortcut(open_page, django_user_model):
    page = open_page(django_user_model.objects.create_user("nobody"))
    page.goto("/preferences/")
    page.keyboard.type("gl")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_).to_be_visible()
    expect(help_).not_to_contain_text("Go to")
    expect(page).to_have_url(re.compile("/preferences/$"))


def test_u_switches_between_ages_and_exact_times(page):
    page.goto("/logs/")
    time = page.locator("[data-rows] time").first
    age = time.inner_text()
    page.keyboard.press("u")
    expect(time).to_have_text(time.get_attribute("data-absolute") or "")
    page.keyboard.press("u")
    expect(time).to_have_text(age)


def test_exact_times_are_complete_and_remembered(page):
    page.goto("/logs/")
    age = page.locator("[data-rows] time").first.inner_text()
    page.keyboard.press("u")
    for path in ("/logs/", "/subscriptions/", "/logs/"):
        page.goto(path)
        time = page.locator("tbody time").first
        expect(time).to_have_text(time.get_attribute("data-absolute") or "")
        assert time.evaluate("(time) => time.parentElement.scrollWidth <= time.parentElement.clientWidth")
    page.keyboard.press("u")
    expect(time).to_have_text(age)


def test_the_question_mark_opens_the_help_and_escape_closes_it(page):
    page.goto("/logs/")
    link = page.locator("[data-row-link]").first
    link.focus()
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    expect(help_).to_be_visible()
    page.keyboard.press("j")  # no shortcuts while a dialog is open
    page.keyboard.press("Escape")
    expect(help_).to_be_hidden()
    expect(link).to_be_focused()


def test_shortcuts_can_be_switched_off_and_on_and_the_choice_is_remembered(page):
    page.goto("/logs/")
    page.keyboard.press("?")
    help_ = page.get_by_role("dialog", name="Keyboard shortcuts")
    help_.get_by_label("Use these shortcuts").uncheck()
    page.keyboard.press("Escape")
    page.keyboard.press("?")
    expect(help_).to_be_hidden()
    page.reload()
    page.keyboard.press("/")
    page.keyboard.press("?")
    expect(page.get_by_label("Search logs")).not_to_be_focused()
    expect(help_).to_be_hidden()
    page.get_by_role("button", name="ana").click()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    help_.get_by_label("Use these shortcuts").check()
    help_.get_by_role("button", name="Close").click()
    page.keyboard.press("/")
    expect(page.get_by_role("combobox")).to_be_focused()


def test_typing_into_a_field_triggers_no_shortcut(page):
    page.goto("/subscriptions/new/")
    name = page.get_by_label("Name")
    name.press_sequentially("jkr[]/?u")
    expect(name).to_have_value("jkr[]/?u")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page).to_have_url(re.compile("/subscriptions/new/$"))


@pytest.mark.parametrize("modifier", ["Control", "Meta", "Alt"])
def test_a_key_with_a_modifier_belongs_to_the_browser(page, modifier):
    page.goto("/logs/")
    page.keyboard.press(f"{modifier}+j")
    expect(page.locator("body")).to_be_focused()


def test_the_first_tab_offers_to_skip_to_the_content(page):
    page.goto("/logs/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to content")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.locator("#main")).to_be_focused()


def test_the_second_tab_offers_to_skip_the_filters(page):
    page.goto("/logs/")
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to results")).to_be_in_viewport()
    page.keyboard.press("Enter")
    expect(page.get_by_role("region", name="Results")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.locator("#results :focus")).to_have_count(1)


def test_only_pages_with_filters_offer_to_skip_them(page):
    page.goto("/queues/")
    expect(page.locator(".skip-link")).to_have_text(["Skip to content"])


def test_the_filters_of_a_narrow_page_open_and_work_by_keyboard(page):
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto("/logs/")
    page.get_by_role("button", name="Filters").press("Enter")
    failed = page.locator("#state-failed")
    failed.press("Space")
    expect(page).to_have_url(re.compile("state=failed"))
    expect(page.locator("#announcer")).to_have_text("3 logs newest first")
    expect(failed).to_be_focused()
    page.keyboard.press("Escape")
    expect(failed).to_be_hidden()


def test_a_node_of_the_payload_is_copied_and_opened_by_the_keyboard(page):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    open_log(page, NEW)
    answers = page.locator(".branch").filter(has=page.locator("> details > summary", has_text="answers"))
    pointer = answers.get_by_role("button", name="Copy the pointer of answers")
    pointer.focus()
    page.keyboard.press("Enter")
    expect(page.locator("#announcer")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == "/data/answers"
    page.keyboard.press("Tab")
    value = answers.get_by_role("button", name="Copy the value of answers")
    expect(value).to_be_focused()
    expect(answers.locator("> .node-actions")).to_have_css("opacity", "1")  # what has the focus is seen
    page.keyboard.press("Enter")
    expect(value).to_have_attribute("data-copied", "")
    assert json.loads(page.evaluate("navigator.clipboard.readText()")) == NEW["event"]["data"]["answers"]
    page.keyboard.press("Tab")
    expect(answers.locator("summary")).to_be_focused()
    page.keyboard.press("Enter")
    expect(answers.locator(".leaf .string")).to_have_text(NEW["event"]["data"]["answers"])


def test_the_theme_is_remembered_and_set_in_the_html(page):
    page.emulate_media(color_scheme="light")
    page.goto("/logs/")
    assert not page.locator("html").get_attribute("data-theme")
    page.get_by_role("button", name="Switch between light and dark").click()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")
    dark = background(page)
    answer = page.reload()
    assert answer
    assert re.search(r'<html [^>]*data-theme="dark"', answer.text())
    assert background(page) == dark
    page.get_by_role("button", name="Switch between light and dark").click()
    assert background(page) != dark


def test_the_system_theme_is_used_until_one_is_chosen(page):
    page.goto("/logs/")
    seen = []
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)
        seen.append(background(page))
    assert seen[0] != seen[1]


def test_the_language_is_switched_in_the_menu_and_remembered(page):
    page.goto("/logs/?state=failed")
    page.get_by_role("button", name="ana").click()
    page.get_by_role("button", name="Español").click()
    expect(page.locator("html")).to_have_attribute("lang", "es")
    expect(page).to_have_url(re.compile(r"/logs/\?state=failed$"))
    page.goto("/")
    expect(page.locator("html")).to_have_attribute("lang", "es")


def background(page: Page) -> str:
    return page.evaluate("getComputedStyle(document.body).backgroundColor")
