"""A share link from the log's page to the receiver's team and back, in two browsers."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from ..factories import make_log, make_subscription


def test_a_link_is_created_copied_opened_and_revoked(page, open_page, complaints):
    make_subscription()
    log = make_log(response="connect ETIMEDOUT 67.225.146.248:443")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(log.get_absolute_url())
    page.get_by_role("link", name="Share…").press("Enter")
    page.get_by_label("1 day").check()
    page.get_by_label("Note for the receiver’s team").fill("Your load balancer answers nothing.")
    page.get_by_label("Include the payload").check()
    page.get_by_role("button", name="Create link").press("Enter")
    page.get_by_role("button", name="Copy the link").press("Enter")
    expect(page.locator("#announcer")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")

    theirs = open_page(timezone_id="America/Santiago")
    theirs.goto(link)
    expect(theirs.get_by_text("Your load balancer answers nothing.")).to_be_visible()
    expect(theirs.locator("time").first).to_have_text(
        re.compile(r"^2022-05-05 20:04:40\.084 UTC \(May 5, 2022, \S+ PM GMT-4\)$")
    )
    with theirs.expect_download() as download:
        theirs.get_by_role("link", name="Download").click()
    assert download.value.suggested_filename == f"{log.pk}.json"

    page.goto(log.get_absolute_url())
    expect(page.get_by_text("1 view:")).to_be_visible()
    page.get_by_role("button", name="Revoke").press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Revoke").press("Enter")
    expect(page.get_by_text("The link is revoked.")).to_be_visible()
    complaints.expected_statuses |= {404}
    theirs.reload()
    expect(theirs.get_by_role("heading", name="This link is not available")).to_be_visible()


def test_share_links_work_without_javascript(open_page, administrator, complaints):
    make_subscription()
    page = open_page(administrator, java_script_enabled=False)
    page.goto(f"{make_log().get_absolute_url()}share-links/")
    page.get_by_role("button", name="Create link").click()
    link = page.locator(".notice .mono").inner_text()
    theirs = open_page(java_script_enabled=False)
    theirs.goto(link)
    expect(theirs.locator("time").first).to_have_text("2022-05-05 20:04:40.084 UTC")
    page.get_by_role("button", name="Revoke").click()
    complaints.expected_statuses |= {404}
    theirs.reload()
    expect(theirs.get_by_role("heading", name="This link is not available")).to_be_visible()
