"""The public page of a share link: one masked log and nothing else."""

from __future__ import annotations

import html
import json
import re
import shlex
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from logs.models import Attempt, AttemptTrigger, Payload, ShareLink, State, Subscription, WebhookLog
from logs.payloads.masking import MASK
from logs.signing import generate_secret

from ..factories import COMPANY, OTHER_COMPANY, make_company, make_log, make_subscription, make_waiting_log
from ..html import text_of

pytestmark = pytest.mark.django_db
UNKNOWN = "/shared/" + "A" * 43 + "/"
HOST = "www.server.com"
NAME = "Equipment sector 1"  # of the sample's object
# Each is hidden in another place; none may be on the public page.
SECRETS = [f"hush-{place}" for place in ("key", "inside", "diff", "header", "cookie", "body", "query", "basic", "ours")]
EVENT = {
    "event": "edit",
    "data": {"_id": "62742b7562f37034d9399914", "name": "Pump", "password": "hush-key"}
    | {"body": json.dumps({"access_token": "hush-inside", "n": 1})},
    "diff": {"/profile/password": {"previous": "hush-diff", "changedTo": "hush-diff"}},
}


@pytest.fixture
def maker(member):
    return member("Operator")


@pytest.fixture
def log(maker) -> WebhookLog:
    """A failed log with two attempts from here, and a secret in every possible place."""
    url = f"https://ana:hush-basic@{HOST}/hook?tenant=7&token=hush-query"
    subscription = make_subscription(url=url, name="Internal name")
    subscription.headers, subscription.secret = [("X-Tenant-Id", "hush-ours")], generate_secret()
    subscription.save()
    log = make_log(event=EVENT, status=500, response="")
    for number in (1, 2):
        log.attempts.add(
            Attempt(
                number=number,
                trigger=AttemptTrigger.MANUAL,
                actor=maker,
                started_at=log.created_at + timedelta(seconds=30 * number, milliseconds=123),
                duration_ms=1234,
                url=url,
                status=500,
                cause="http_5xx",
                response=json.dumps({"error": f"broken {number}", "secret": "hush-body"}),
                response_headers=[["X-Trace", "abc"], ["Set-Cookie", "hush-cookie"], ["X-Api-Key", "hush-header"]],
            ),
            bulk=False,
        )
    return log


def make_link(log: WebhookLog, by, **fields) -> str:
    return f"/shared/{ShareLink.create_link(log, by=by, days=7, **fields)}/"


def visit(path: str):
    """Without a session."""
    return Client().get(path)


def curl_on(response) -> list[str]:
    return shlex.split(
        html.unescape(re.search(r'<pre[^>]* id="curl"[^>]*>(.*?)</pre>', response.content.decode(), re.S)[1])
    )


class TestPage:
    def test_the_page_says_what_failed_why_and_when(self, log, maker):
        shown = text_of(visit(make_link(log, maker, note="Since <this> morning\nyour side says 500")))
        assert f"Task edited for {HOST} Failed" in shown
        assert "Not delivered. All 2 attempts failed: Error at the receiver (5xx)." in shown
        assert "Since <this> morning your side says 500" in shown
        assert "2022-05-05 20:04:40.084 UTC" in shown
        assert "62742b7562f37034d9399914" in shown
        assert log.pk in shown

    def test_every_attempt_has_its_status_time_headers_and_response(self, log, maker):
        shown = text_of(visit(make_link(log, maker)))
        for number, moment in ((1, "20:05:10.207"), (2, "20:05:40.207")):
            assert f"Attempt {number} failed 2022-05-05 {moment} UTC Status 500 · Error at the receiver" in shown
            assert f'"error": "broken {number}"' in shown
        assert shown.count("after 1.2 s (1234 ms)") == 2
        assert shown.count("X-Trace abc") == 2

    def test_the_request_is_shown_as_it_was_sent(self, log, maker):
        shown = text_of(visit(make_link(log, maker)))
        assert f"POST https://ana:{MASK}@{HOST}/hook?tenant=7&token={MASK}" in shown
        for header in ("content-type application/json", f"webhook-id {log.pk}", "webhook-timestamp 1651781140"):
            assert header in shown
        assert "webhook-signature masked" in shown
        assert "X-Tenant-Id masked" in shown

    @pytest.mark.parametrize("includes_payload", [True, False])
    def test_page_download_and_command_contain_no_masked_values(self, log, maker, includes_payload):
        path = make_link(log, maker, includes_payload=includes_payload)
        for answer in (visit(path), visit(f"{path}payload.json")):
            assert [secret for secret in SECRETS if secret in answer.content.decode()] == []
        assert log.subscription.secret not in visit(path).content.decode()

    def test_the_page_shows_no_internal_names(self, log, maker):
        page = visit(make_link(log, maker)).content.decode()
        for name in (maker.username, "Internal name", "Austral", COMPANY, "Pump", log.subscription_id):
            assert name not in page
        assert not re.search(r'href="(?!/static/|#|payload\.json)', page)
        assert "<form" not in page

    def test_a_log_of_cotalker_shows_the_values_of_its_document(self, maker):
        make_subscription()
        shown = text_of(visit(make_link(make_log(), maker)))
        assert "Cotalker tried 3 times: failed" in shown
        assert "connect ETIMEDOUT 67.225.146.248:443" in shown
        assert "Status and response come from Cotalker’s log." in shown
        assert NAME not in shown

    def test_an_attempt_to_another_host_names_it(self, log, maker):
        log.attempts.filter(number=1).update(url="https://old.server.com/?token=hush-query")
        page = visit(make_link(log, maker))
        assert f"POST https://old.server.com/?token={MASK}" in text_of(page)
        assert text_of(page).count("old.server.com") == 1

    def test_an_attempt_to_another_url_is_not_shown_and_an_edited_payload_is(self, log, maker):
        for number, url, is_edited in ((3, "https://elsewhere.example.com/", False), (4, "", True)):
            log.overrides.create(
                number=number, url=url, is_edited=is_edited, event=None, reason="a trial", requested_by=maker
            )
            log.attempts.create(
                number=number,
                trigger=AttemptTrigger.OVERRIDE,
                started_at=log.created_at,
                url=url,
                response=f"answer {number}",
            )
        shown = text_of(visit(make_link(log, maker)))
        assert "elsewhere.example.com" not in shown
        assert "answer 3" not in shown
        assert "answer 4" in shown
        assert shown.count("Edited payload") == 1

    def test_markup_in_responses_is_escaped(self, log, maker):
        log.attempts.update(response="<img src=x>", response_headers=[["<b>", "<script>"]], url="https://<img src=x>/")
        page = visit(make_link(log, maker)).content.decode()
        assert "<img" not in page
        assert not re.search(r"<script(?! src=)", page)

    def test_the_number_of_queries_does_not_grow_with_the_attempts(self, log, maker):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                visit(path)
            return len(captured)

        path = make_link(log, maker, includes_payload=True)
        assert queries() == 4  # the link, the attempts, the payload, the count
        for number in range(3, 30):
            log.attempts.create(number=number, trigger=AttemptTrigger.AUTO, actor=maker, started_at=log.created_at)
        assert queries() == 4


class TestState:
    """The page shows the log as it is at that moment."""

    def shown(self, log: WebhookLog, maker) -> str:
        return text_of(visit(make_link(log, maker)))

    def test_it_says_that_the_log_was_delivered_meanwhile(self, log, maker):
        path = make_link(log, maker)
        assert "Not delivered." in text_of(visit(path))
        moment = log.created_at + timedelta(hours=1)
        log.attempts.create(number=3, trigger=AttemptTrigger.AUTO, started_at=moment, status=204, duration_ms=9)
        log.attempts.create(number=4, trigger=AttemptTrigger.MANUAL, started_at=moment, status=200, duration_ms=9)
        WebhookLog.objects.filter(pk=log.pk).update(state=State.DELIVERED, cause="")
        shown = text_of(visit(path))
        assert "Delivered in the meantime. Attempt 3 was answered with 204 ; the earlier ones failed." in shown
        assert "Delivered" in shown

    def test_it_says_that_the_log_was_delivered_at_once(self, maker):
        make_subscription()
        shown = self.shown(make_log(status=200, retry=1, response="OK"), maker)
        assert "Delivered on the first attempt, which was answered with 200 ." in shown

    def test_it_says_that_the_log_will_be_retried(self, log, maker):
        WebhookLog.objects.filter(pk=log.pk).update(
            state=State.RETRYING, next_attempt_at=log.created_at, sequence=1, priority=0, attempts_left=1
        )
        shown = self.shown(log, maker)
        assert "Not delivered yet. Attempt 2 failed: Error at the receiver (5xx). It will be retried." in shown

    def test_it_says_that_the_log_was_not_sent_yet(self, maker):
        shown = self.shown(make_waiting_log(make_subscription()), maker)
        assert "Not sent yet. It is waiting to be sent." in shown
        assert "Not sent yet." in shown

    def test_it_says_skipped_without_the_person_or_the_reason(self, maker):
        log = make_waiting_log(make_subscription())
        log.skip(by=maker, reason="hush: our own reason")
        shown = self.shown(log, maker)
        assert "Not delivered, and no longer scheduled to be sent." in shown
        assert "hush" not in shown


class TestPayload:
    def test_the_payload_is_shown_if_the_link_includes_it(self, log, maker):
        path = make_link(log, maker, includes_payload=True)
        assert '"name": "Pump"' in text_of(visit(path))
        download = visit(f"{path}payload.json")
        assert download["Content-Disposition"] == f'attachment; filename="{log.pk}.json"'
        document = json.loads(download.content)
        assert document["data"]["name"] == "Pump"
        assert document["data"]["password"] == document["diff"]["/profile/password"] == MASK
        assert json.loads(document["data"]["body"]) == {"access_token": MASK, "n": 1}

    def test_the_payload_is_hidden_if_the_link_excludes_it(self, log, maker):
        path = make_link(log, maker)
        assert "Pump" not in visit(path).content.decode()
        assert visit(f"{path}payload.json").status_code == 404

    def test_the_payload_disappears_when_the_creator_may_no_longer_see_it(self, log, maker):
        path = make_link(log, maker, includes_payload=True)
        [group] = maker.groups.all()
        group.permissions.remove(group.permissions.get(codename="view_payload"))
        answer = visit(path)
        assert answer.status_code == 200
        assert "Pump" not in answer.content.decode()
        assert visit(f"{path}payload.json").status_code == 404

    def test_an_expired_payload_is_mentioned(self, log, maker):
        path = make_link(log, maker, includes_payload=True)
        Payload.objects.all().delete()
        assert "The payload can no longer be shown." in text_of(visit(path))
        assert visit(f"{path}payload.json").status_code == 404

    def test_only_the_beginning_of_a_long_payload_is_shown(self, log, maker):
        event = json.dumps({"password": "hush-key", "text": "x" * 30_000, "end": "here"})
        Payload.objects.update(event=event)
        path = make_link(log, maker, includes_payload=True)
        page = visit(path)
        assert "Only the first" in text_of(page)
        assert "hush-key" not in page.content.decode()
        assert json.loads(visit(f"{path}payload.json").content)["end"] == "here"


class TestCurl:
    def test_it_posts_the_masked_event_quoted_for_a_shell(self, log, maker):
        Payload.objects.update(event='{"name": "it\'s $(x) `y`", "password": "hush-key"}')
        curl = curl_on(visit(make_link(log, maker, includes_payload=True)))
        assert curl[:4] == ["curl", "--request", "POST", f"https://ana:{MASK}@{HOST}/hook?tenant=7&token={MASK}"]
        assert curl[-2:] == ["--data-binary", f'{{"name": "it\'s $(x) `y`", "password": "{MASK}"}}']
        assert f"webhook-id: {log.pk}" in curl
        assert f"X-Tenant-Id: {MASK}" in curl

    def test_without_the_payload_it_reads_a_file(self, log, maker):
        assert curl_on(visit(make_link(log, maker)))[-1] == f"@{log.pk}.json"


class TestAccess:
    """Who can open the page, and the headers of the response for caches and crawlers."""

    def test_unknown_expired_and_revoked_links_get_the_same_response(self, log, maker):
        expired, revoked = make_link(log, maker), make_link(log, maker)
        first, second = ShareLink.objects.order_by("pk")
        ShareLink.objects.filter(pk=first.pk).update(expires_at=log.created_at)
        second.revoke(by=maker)
        answers = [visit(path + part) for path in (UNKNOWN, expired, revoked) for part in ("", "payload.json")]
        assert {answer.status_code for answer in answers} == {404}
        assert len({answer.content for answer in answers}) == 1
        assert "This link is not available" in text_of(answers[0])
        # "Expires" is the moment of each answer.
        headers = [{name: value for name, value in answer.headers.items() if name != "Expires"} for answer in answers]
        assert all(each == headers[0] for each in headers)

    def test_the_page_is_not_cached_referred_or_indexed(self, log, maker):
        path = make_link(log, maker, includes_payload=True)
        for answer in (visit(path), visit(f"{path}payload.json"), visit(UNKNOWN)):
            assert "no-store" in answer["Cache-Control"]
            assert answer["Referrer-Policy"] == "no-referrer"
            assert answer["X-Robots-Tag"] == "noindex, nofollow"
            assert not answer.cookies
        assert '<meta name="robots" content="noindex, nofollow">' in visit(path).content.decode()

    @pytest.mark.parametrize("method", ["post", "put", "patch", "delete"])
    def test_the_page_has_no_actions(self, log, maker, method):
        path = make_link(log, maker, includes_payload=True)
        for part in ("", "payload.json"):
            assert getattr(Client(), method)(path + part).status_code == 405

    def test_the_link_gives_access_to_nothing_else(self, log, maker):
        stranger = Client()
        stranger.get(make_link(log, maker))
        assert stranger.get(log.get_absolute_url()).status_code == 302

    def test_views_are_counted_except_those_of_colleagues_and_head_requests(self, client, log, maker):
        path = make_link(log, maker)
        client.force_login(maker)
        client.get(path), Client().head(path), visit(UNKNOWN)
        assert (ShareLink.objects.get().views, ShareLink.objects.get().last_seen_at) == (0, None)
        visit(path), visit(path)
        assert ShareLink.objects.get().views == 2
        assert ShareLink.objects.get().last_seen_at is not None

    def test_only_users_who_may_see_the_log_get_a_link_to_it(self, client, member, log, maker):
        path, way = make_link(log, maker), f'href="{log.get_absolute_url()}"'
        client.force_login(maker)
        assert way in client.get(path).content.decode()
        client.force_login(member("Operator", make_company(OTHER_COMPANY, "Other")))
        assert way not in client.get(path).content.decode()
        assert way not in visit(path).content.decode()

    def test_each_link_shows_its_own_log(self, log, maker, member):
        other = make_company(OTHER_COMPANY, "Other")
        theirs = make_log(5, subscription=make_subscription("62685990d918fb5557f9f993", company=other).pk)
        assert Subscription.objects.get(pk=theirs.subscription_id).company == other
        path = make_link(theirs, member("Operator", other))
        assert theirs.pk in visit(path).content.decode()
        assert log.pk not in visit(path).content.decode()
        # Nobody can create a link for a log of another company; such a link would show nothing.
        assert visit(make_link(theirs, maker)).status_code == 404

    def test_the_page_uses_the_language_of_the_browser(self, log, maker):
        page = Client().get(make_link(log, maker), headers={"accept-language": "es-CL"}).content.decode()
        assert '<html lang="es"' in page
