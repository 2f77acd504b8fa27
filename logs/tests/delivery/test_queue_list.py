"""The page of all queues: what it shows of each queue to whom, and where its buttons lead back to."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from logs.cotalker import objectid
from logs.delivery import queue_list, queue_summary
from logs.models import AuditAction, AuditEntry, Priority, State, Subscription, WebhookLog

from ..factories import make_company, make_subscription, make_waiting_log
from ..html import plain_text

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true", "hx-target": "queues"}
QUEUES = "/queues/"
WRONG = [
    "?colour=red",
    "?all=yes",
    "?all=",
    "?all=1&colour=red",
    "?after=",
    "?after=1",
    "?after=9~1~625be93a286ef83c1c0e0000~x",
]


def make_queue(name: str, **fields) -> Subscription:
    return make_subscription(objectid.new_objectid(), name=name, **fields)


def retrying_queue(name: str, behind: int = 0, seconds: int = 25) -> Subscription:
    """A queue whose next event failed once and is retried in so many seconds."""
    subscription = make_queue(name)
    head = make_waiting_log(
        subscription, 0, state=State.RETRYING, priority=Priority.RETRY, attempts_left=2, attempt_count=1
    )
    in_a_while = timezone.now() + timedelta(seconds=seconds)
    values = {"cause": "http_5xx", "response": '{"password": "hunter2", "error": "bad gateway"}'}
    WebhookLog.objects.filter(pk=head.pk).update(next_attempt_at=in_a_while, **values)
    wait_behind(subscription, behind)
    return subscription


def exhausted_queue(name: str, behind: int = 0, **fields) -> tuple[Subscription, WebhookLog]:
    """A queue paused by the worker, and the log that blocks it."""
    subscription = make_queue(name, pause_on_exhausted=True, paused_at=timezone.now(), **fields)
    log = make_waiting_log(subscription, 0, state=State.FAILED, attempt_count=3, cause="timeout")
    WebhookLog.objects.filter(pk=log.pk).update(next_attempt_at=None)
    Subscription.objects.filter(pk=subscription.pk).update(blocking_log=log.pk)
    wait_behind(subscription, behind)
    return subscription, log


def wait_behind(subscription: Subscription, count: int) -> None:
    for number in range(1, count + 1):
        make_waiting_log(subscription, number, object_name=f"No. {number} of {subscription.name}")


def stopped_queue(name: str, count: int) -> Subscription:
    subscription = make_queue(name)
    wait_behind(subscription, count)
    Subscription.objects.filter(pk=subscription.pk).update(is_active=False)
    return subscription


def look(client, address: str = QUEUES, status: int = 200, **headers) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == status
    return answer.content.decode()


def panel(page: str, subscription: Subscription) -> str:
    return re.search(rf'<section class="panel" id="queue-{subscription.pk}".*?</section>', page, re.DOTALL)[0]


def rows(page: str) -> list[str]:
    return [plain_text(row) for row in re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)]


def lead(page: str) -> str:
    return plain_text(re.search(r'<p class="summary">(.*?)</p>', page, re.DOTALL)[1])


def press(client, address: str, subscription: Subscription, htmx: bool = False, **data):
    """Press a button of the queue's panel; the next page, or the region with htmx."""
    data = {"next": f"{QUEUES}#queue-{subscription.pk}"} | data
    return client.post(address, data, headers=HTMX if htmx else None, follow=True)


class TestWhatItSays:
    def test_one_sentence_answers_first(self, client, operator):
        retrying_queue("Incidents", 1)
        exhausted_queue("Elements", 3)
        stopped_queue("Legacy", 2)
        make_queue("Users")
        answer = lead(look(client))
        assert answer.startswith("2 queues are blocked. 5 events are waiting there. The oldest has been waiting since ")
        assert answer.endswith("1 inactive subscription has kept events to send or skip. 1 queue is active.")

    def test_it_says_when_nothing_is_blocked(self, client, operator):
        make_queue("Users")
        assert lead(look(client)) == "No queue is blocked. 1 queue is active."

    def test_it_explains_queues_when_there_are_no_subscriptions(self, client, operator):
        page = look(client)
        assert "No queues yet" in page and 'class="summary"' not in page

    def test_subscriptions_that_cotalker_delivers_are_counted_and_not_listed(self, client, operator):
        make_queue("Theirs", is_delivered_here=False)
        assert "Nothing is sent from here" in look(client)
        make_queue("Ours")
        page = look(client)
        assert lead(page) == "No queue is blocked. 1 queue is active."
        assert "Cotalker delivers 1 more subscription" in page and "Theirs" not in page

    def test_a_queue_between_attempts_shows_the_next_event_the_countdown_and_the_next_four(self, client, operator):
        subscription = retrying_queue("Incidents", behind=6)
        shown = panel(look(client), subscription)
        head = subscription.waiting().first()
        assert re.search(r"<h3 data-countdown>\s*Next attempt <time [^>]*>in 2\d s</time>", shown)
        assert f'href="{head.get_absolute_url()}"' in shown
        assert "attempt 2 of 3" in plain_text(shown) and "Error at the receiver (5xx)" in shown
        assert "6 more waiting" in shown
        assert re.findall(r"No\. \d of Incidents", shown) == [f"No. {number} of Incidents" for number in range(1, 5)]
        assert f"?subscription={subscription.pk}&amp;state=pending" in shown

    def test_masked_values_in_a_response_stay_masked(self, client, operator):
        subscription = retrying_queue("Incidents")
        shown = panel(look(client), subscription)
        assert "bad gateway" in shown and "hunter2" not in shown

    def test_a_queue_that_is_paused_because_of_an_event_says_so(self, client, operator):
        subscription, log = exhausted_queue("Elements", behind=1)
        shown = panel(look(client), subscription)
        assert "First event failed after its last attempt" in shown and "attempted 3 times" in shown
        assert "Redeliver it, skip it, or resume without it" in shown
        assert "1 more waiting" in shown and log.get_absolute_url() in shown

    def test_a_queue_that_somebody_paused_names_the_person_and_does_not_count_down(self, client, operator):
        subscription = retrying_queue("Incidents")
        subscription.pause(by=operator)
        shown = panel(look(client), subscription)
        assert f"{operator} paused this queue" in shown
        assert "First event is waiting" in shown and "data-countdown" not in shown

    def test_an_empty_paused_queue_says_so(self, client, operator):
        subscription = make_queue("Quiet")
        subscription.pause(by=operator)
        page = look(client)
        assert lead(page) == "1 queue is blocked. No events are waiting there yet."
        assert "No events waiting" in panel(page, subscription)

    def test_events_kept_for_inactive_subscriptions_are_listed_separately(self, client, operator):
        subscription = stopped_queue("Legacy", 3)
        shown = plain_text(panel(look(client), subscription))
        assert "Deactivated while 3 events were waiting. They are kept until someone sends or skips them." in shown
        assert "The first is No. 1 of Legacy" in shown and "Inactive" in shown

    def test_active_queues_show_their_length_and_what_an_exhausted_event_does(self, client, operator):
        busy = make_queue("Busy", pause_on_exhausted=True)
        now = timezone.now()
        WebhookLog.objects.filter(pk=make_waiting_log(busy).pk).update(created_at=now - timedelta(seconds=150))
        make_queue("Archive")
        assert rows(look(client)) == ["Busy 1 2 min Pause Pause", "Archive – – Continue Pause"]

    def test_names_are_escaped(self, client, operator):
        name = "<script>alert(1)</script>"
        for subscription in (retrying_queue(name), make_queue(name)):
            subscription.pause(by=operator)
        stopped_queue(name, 1)
        make_queue(name)
        assert "<script>alert" not in look(client)

    def test_paused_queues_come_first_and_then_those_waiting_longest(self, client, operator):
        for name, minutes in (("Young", 1), ("Old", 50)):
            subscription = retrying_queue(name, behind=1)
            WebhookLog.objects.filter(subscription=subscription, priority=Priority.NORMAL).update(
                created_at=timezone.now() - timedelta(minutes=minutes)
            )
        exhausted_queue("Paused")
        assert re.findall(r'id="subscription-\w+" [^>]*>(\w+)<', look(client)) == ["Paused", "Old", "Young"]

    def test_the_old_url_for_all_queues_leads_to_the_first_page(self, client, operator):
        assert client.get(f"{QUEUES}?all=1").url == QUEUES

    @pytest.mark.parametrize("query", WRONG)
    def test_a_wrong_url_shows_no_queues(self, client, operator, query):
        make_queue("Users")
        page = look(client, QUEUES + query, status=422)
        assert "This URL is not valid" in page and "Users" not in page


class TestPages:
    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch):
        monkeypatch.setattr(queue_list, "PAGE_SIZE", 4)

    def walk(self, client) -> list[str]:
        """The pages, by their links."""
        pages, address = [], QUEUES
        while address:
            pages.append(look(client, address))
            match = re.search(r'rel="next" href="([^"]+)"', pages[-1])
            address = QUEUES + unescape(match[1]) if match else ""
        return pages

    def names(self, page: str) -> list[str]:
        return [unescape(name) for name in re.findall(r'id="subscription-\w+" [^>]*>([^<]+)<', page)]

    def test_every_queue_is_on_one_page_in_one_order(self, client, operator):
        old = timezone.now() - timedelta(hours=1)
        for number in range(3):
            Subscription.objects.filter(pk=exhausted_queue(f"Paused {number}")[0].pk).update(
                paused_at=old
            )  # of one moment
            retrying_queue(f"Retrying {number}", number)  # behind the first nothing waits
            stopped_queue(f"Kept {number}", 1)
            make_queue(f"Flows & ~{number}")
        make_queue("Off", is_active=False)
        lags = make_queue("Lags")
        WebhookLog.objects.filter(pk=make_waiting_log(lags).pk).update(created_at=old)
        pages = self.walk(client)
        assert [self.names(page) for page in pages] == [
            ["Paused 0", "Paused 1", "Paused 2", "Retrying 1"],
            ["Retrying 2", "Retrying 0", "Kept 0", "Kept 1"],
            ["Kept 2", "Lags", "Flows & ~0", "Flows & ~1"],
            ["Flows & ~2"],
        ]
        assert len({lead(page) for page in pages}) == 1 and lead(pages[0]).startswith(
            "6 queues are blocked. 6 events are waiting"
        )
        assert "1–4 of 13 queues." in pages[0] and ">Next 4<" in pages[0] and "First page" not in pages[0]
        assert "9–12 of 13 queues." in pages[2] and ">Next 1<" in pages[2] and f'href="{QUEUES}">First page' in pages[2]
        assert "13–13 of 13 queues." in pages[3] and 'id="queues-next"' not in pages[3]

    def test_a_single_page_has_no_page_links(self, client, operator):
        for number in range(4):
            make_queue(f"Queue {number}")
        assert 'id="queues-pages"' not in look(client)

    def test_a_page_keeps_its_place_when_earlier_queues_change(self, client, operator):
        subscriptions = [make_queue(f"Queue {number}") for number in range(9)]
        second = QUEUES + unescape(re.search(r'rel="next" href="([^"]+)"', look(client))[1])
        subscriptions[3].delete()  # the very one that the address names
        make_queue("Queue 00")
        assert self.names(look(client, second)) == [f"Queue {number}" for number in range(4, 8)]

    def test_a_page_after_the_last_says_so_and_leads_to_the_first(self, client, operator):
        make_queue("Users")
        page = look(client, f"{QUEUES}?after=4~0~{'f' * 24}~Z")
        assert (
            "No more queues." in page
            and "First page" in page
            and lead(page) == "No queue is blocked. 1 queue is active."
        )

    def test_a_page_polls_itself_and_its_buttons_lead_back_to_it(self, client, operator, monkeypatch):
        now = timezone.now()
        monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now)
        subscriptions = [make_queue(f"Ñandú & {number}") for number in range(6)]
        page = self.walk(client)[1]
        poll_url = TestPoll().poll_url(page)
        assert client.get(poll_url, headers=HTMX).status_code == 204
        back = unescape(re.search(r'name="next" value="([^"]+)"', page)[1])
        assert self.names(look(client, back)) == ["Ñandú & 4", "Ñandú & 5"]
        paused = client.post(
            reverse("logs:queue_pause", args=[subscriptions[5].pk]), {"next": back}, headers=HTMX, follow=True
        )
        assert self.names(paused.content.decode()) == ["Ñandú & 4"]  # the other is on the first page now
        assert self.names(look(client, poll_url, **HTMX)) == ["Ñandú & 4"]

    def test_pages_hide_queues_of_other_companies(self, client, operator):
        other = make_company("625be93a286ef83c1c0e0000", "Other")
        for number in range(5):
            (
                make_queue(f"Foreign {number}", company=other),
                exhausted_queue(f"Foreign paused {number}", 1, company=other),
            )
            make_queue(f"Own {number}")
        pages = self.walk(client)
        assert [name for page in pages for name in self.names(page)] == [f"Own {number}" for number in range(5)]
        behind_theirs = look(client, f"{QUEUES}?after=0~0~{Subscription.objects.get(name='Foreign paused 0').pk}~x")
        assert self.names(behind_theirs) == [f"Own {number}" for number in range(4)]
        assert "of 5 queues" in behind_theirs and "Foreign" not in behind_theirs


class TestWho:
    def test_queues_of_two_companies_never_mix(self, client, operator):
        other = make_company("625be93a286ef83c1c0e0000", "Other")
        foreign, log = exhausted_queue("Foreign", 3, company=other)
        WebhookLog.objects.filter(pk=log.pk).update(object_name="Secret thing")
        make_queue("Foreign too", company=other)
        own = retrying_queue("Own")
        page = look(client)
        assert lead(page).startswith("1 queue is blocked. 1 event is waiting there.")
        assert "Foreign" not in page and "Secret thing" not in page and foreign.pk not in page
        assert "Own" in panel(page, own)

    def test_a_user_of_several_companies_sees_the_company_of_each_queue(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("root"))
        own = retrying_queue("Incidents")
        assert "Austral" not in panel(look(client), own)
        make_queue("Foreign", company=make_company("625be93a286ef83c1c0e0000", "Other"))
        page = look(client)
        assert "Austral" in panel(page, own)
        assert any("Other" in row for row in rows(page))

    def test_a_viewer_sees_everything_and_no_button(self, client, member):
        client.force_login(member("Viewer"))
        retrying_queue("Incidents", 1), exhausted_queue("Elements", 1), stopped_queue("Legacy", 1), make_queue("Users")
        page = look(client).partition("<main")[2].partition("</main>")[0]
        for name in ("Incidents", "Elements", "Legacy", "Users"):
            assert name in page
        assert "<form" not in page and "<button" not in page and "Skip" not in page

    def test_the_navigation_links_the_page(self, client, operator):
        page = look(client, "/")
        assert page.index('href="/incidents/"') < page.index('href="/logs/"') < page.index('href="/queues/"')
        assert '<a href="/queues/" data-go="q" aria-current="page">Queues <' in " ".join(look(client).split())

    def test_the_overview_and_the_subscription_link_the_page(self, client, operator):
        subscription = retrying_queue("Incidents")
        for address in ("/", subscription.get_absolute_url()):
            assert re.search(r'href="/queues/">All queues</a>', look(client, address))


class TestPoll:
    def poll_url(self, page: str) -> str:
        return unescape(re.search(r'hx-get="([^"]+)" hx-trigger="every 5s"', page)[1])

    def test_a_poll_without_changes_has_an_empty_response(self, client, operator, monkeypatch):
        now = timezone.now()
        monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now)
        retrying_queue("Incidents", 1), stopped_queue("Legacy", 1), make_queue("Users")
        answer = client.get(self.poll_url(look(client)), headers=HTMX)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize("what", ["arrives", "is attempted", "is paused", "is skipped", "a minute goes by"])
    def test_a_poll_with_changes_gets_only_the_region(self, client, operator, monkeypatch, what):
        now = [timezone.now().replace(second=10)]
        monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now[0])
        subscription = retrying_queue("Incidents", 1)
        poll_url = self.poll_url(look(client))
        if what == "arrives":
            make_waiting_log(subscription, 9)
        elif what == "is attempted":
            WebhookLog.objects.filter(priority=Priority.RETRY).update(next_attempt_at=now[0])
        elif what == "is paused":
            subscription.pause(by=operator)
        elif what == "is skipped":
            subscription.waiting().last().skip(by=operator, reason="x")
        else:
            now[0] += timedelta(minutes=1)
        region = look(client, poll_url, **HTMX)
        assert region.lstrip().startswith('<div class="stack" id="queues"') and "<html" not in region
        assert self.poll_url(region) != poll_url
        assert 'id="messages"' not in region

    def test_a_requested_page_is_always_complete(self, client, operator):
        make_queue("Users")
        assert "<html" in look(client, self.poll_url(look(client)))


class TestVerbs:
    """Each action stays on the page and shows its effect, with htmx and without."""

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_queue_is_paused_and_resumed(self, client, operator, htmx):
        subscription = retrying_queue("Incidents", 1)
        paused = press(client, reverse("logs:queue_pause", args=[subscription.pk]), subscription, htmx)
        assert paused.redirect_chain == [(f"{QUEUES}#queue-{subscription.pk}", 302)]
        assert f"{operator} paused this queue" in panel(paused.content.decode(), subscription)
        assert "The queue of “Incidents” is paused." in paused.content.decode()
        assert ("<html" in paused.content.decode()) is not htmx
        resumed = press(
            client, reverse("logs:queue_resume", args=[subscription.pk]), subscription, htmx
        ).content.decode()
        assert "Waiting for a retry" in panel(resumed, subscription)
        assert "The queue of “Incidents” has resumed." in resumed

    @pytest.mark.parametrize("htmx", [False, True])
    def test_the_next_event_is_retried_now(self, client, operator, htmx):
        subscription = retrying_queue("Incidents")
        log = subscription.waiting().get()
        page = press(client, reverse("logs:log_retry", args=[log.pk]), subscription, htmx).content.decode()
        assert "First event is being sent" in panel(page, subscription) and "The next attempt starts now." in page
        assert AuditEntry.objects.get(action=AuditAction.RETRIED_NOW).target == log.pk

    @pytest.mark.parametrize("htmx", [False, True])
    def test_the_next_event_is_redelivered(self, client, operator, htmx):
        subscription, log = exhausted_queue("Elements", 1)
        data = {"expected_attempts": "3"}
        page = press(
            client, reverse("logs:redelivery_create", args=[log.pk]), subscription, htmx, **data
        ).content.decode()
        assert "It is being sent again, and the queue resumes once it is delivered." in panel(page, subscription)
        assert "The redelivery is queued, ahead of the other waiting events." in page
        log.refresh_from_db()
        assert (log.is_queued, log.priority, log.requested_by) == (True, Priority.REDELIVERY, operator)

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_redelivery_that_is_refused_says_why(self, client, operator, htmx):
        subscription, log = exhausted_queue("Elements")
        Subscription.objects.update(url="")
        data = {"expected_attempts": "3"}
        page = press(
            client, reverse("logs:redelivery_create", args=[log.pk]), subscription, htmx, **data
        ).content.decode()
        assert "Its subscription has no URL yet." in page
        assert "First event failed after its last attempt" in panel(page, subscription)

    def test_skipping_needs_a_reason_and_leads_back(self, client, operator):
        subscription = retrying_queue("Incidents", 1)
        log = subscription.waiting().first()
        link = re.search(r'href="([^"]+/skip/[^"]*)"', panel(look(client), subscription))[1]
        assert f'<a class="btn" href="{QUEUES}#queue-{subscription.pk}">Cancel</a>' in look(client, link)
        answer = client.post(link, {"reason": "given by phone"}, follow=True)
        assert answer.redirect_chain == [(f"{QUEUES}#queue-{subscription.pk}", 302)]
        assert "The event was skipped." in answer.content.decode()
        log.refresh_from_db()
        assert (log.state, log.is_queued) == (State.SKIPPED, False)

    def test_skipping_kept_events_leads_back(self, client, operator):
        subscription = stopped_queue("Legacy", 2)
        link = re.search(r'href="([^"]+/queue/skip/[^"]*)"', panel(look(client), subscription))[1]
        assert f'<a class="btn" href="{QUEUES}#queue-{subscription.pk}">Cancel</a>' in look(client, link)
        page = client.post(link, {"reason": "too late"}, follow=True).content.decode()
        assert "2 events were skipped." in page and "Legacy" not in page

    @pytest.mark.parametrize("htmx", [False, True])
    def test_kept_events_that_are_sent_form_an_active_queue(self, client, operator, htmx):
        subscription = stopped_queue("Legacy", 2)
        page = press(
            client, reverse("logs:queue_send_waiting", args=[subscription.pk]), subscription, htmx
        ).content.decode()
        assert "The waiting events of “Legacy” are being sent." in page
        assert rows(page)[0].startswith("Legacy inactive; waiting events are being sent 2 ")

    @pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "nowhere"])
    @pytest.mark.parametrize("name", ["queue_pause", "queue_resume", "queue_send_waiting", "log_retry", "log_skip"])
    def test_no_action_redirects_to_another_site(self, client, operator, address, name):
        subscription = retrying_queue("Incidents")
        pk = subscription.waiting().get().pk if name.startswith("log") else subscription.pk
        answer = client.post(reverse(f"logs:{name}", args=[pk]), {"next": address, "reason": "x"})
        assert answer.status_code == 302 and answer.url.startswith(("/subscriptions/", "/logs/"))


@pytest.mark.django_db(transaction=True)
class TestWithAWorker:
    def test_a_next_event_that_is_delivered_resumes_its_queue(self, client, operator, receiver, deliver):
        subscription, log = exhausted_queue("Elements", 2, url=receiver.url)
        press(client, reverse("logs:redelivery_create", args=[log.pk]), subscription, expected_attempts="3")
        deliver()
        others = subscription.logs.exclude(pk=log.pk).order_by("sequence")
        assert receiver.ids == [log.pk, *others.values_list("pk", flat=True)]
        page = look(client)
        assert lead(page) == "No queue is blocked. 1 queue is active."
        assert rows(page) == ["Elements – – Pause Pause"]

    def test_a_next_event_that_is_skipped_is_not_sent_and_the_next_is(self, client, operator, receiver, deliver):
        subscription, log = exhausted_queue("Elements", 1, url=receiver.url)
        press(client, reverse("logs:log_skip", args=[log.pk]), subscription, reason="given by phone")
        deliver()
        assert receiver.ids == [subscription.logs.get(state=State.DELIVERED).pk] != [log.pk]

    def test_a_queue_that_was_paused_sends_nothing_until_it_is_resumed(self, client, operator, receiver, deliver):
        subscription, other = (make_queue(name, url=receiver.url) for name in ("Paused", "Other"))
        waiting, sign = make_waiting_log(subscription), make_waiting_log(other)
        press(client, reverse("logs:queue_pause", args=[subscription.pk]), subscription)
        deliver(until=WebhookLog.objects.delivered())
        assert receiver.ids == [sign.pk]
        press(client, reverse("logs:queue_resume", args=[subscription.pk]), subscription)
        deliver()
        assert receiver.ids == [sign.pk, waiting.pk]


@pytest.mark.parametrize(("role", "times_three"), [("Operator", 100), ("superuser", 20)])
def test_thirty_queues_and_three_hundred_cost_the_same(
    client, member, django_user_model, monkeypatch, role, times_three
):
    """Queries, rows with details, and bytes."""
    client.force_login(member(role) if role == "Operator" else django_user_model.objects.create_superuser("root"))
    monkeypatch.setattr(queue_list, "PAGE_SIZE", 30)

    def cost() -> tuple[int, int, int]:
        with CaptureQueriesContext(connection) as captured:
            page = look(client)
        return len(captured), len(re.findall(r'id="subscription-\w+"', page)), len(page) // 4000

    def add(first: int, last: int) -> None:
        for number in range(first, last):
            (
                retrying_queue(f"Retrying {number:03}", 1),
                exhausted_queue(f"Paused {number:03}"),
                make_queue(f"Flows {number:03}"),
            )

    add(0, 10)
    few = cost()
    add(10, times_three)
    many = cost()
    assert few[:2] == many[:2] and many[0] <= 14 and many[1] == 30
    assert many[2] <= few[2] * 2  # thirty panels in place of twenty, and ten rows


def test_waiting_events_are_counted_only_in_the_queues_shown(client, operator, monkeypatch):
    monkeypatch.setattr(queue_list, "PAGE_SIZE", 2)
    subscriptions = [retrying_queue(f"Retrying {number}", 1 + number) for number in range(4)]
    with CaptureQueriesContext(connection) as captured:
        look(client)
    [counting] = [query["sql"] for query in captured if "AS counted" in query["sql"]]
    assert [subscription.pk in counting for subscription in subscriptions] == [True, True, False, False]


def test_the_total_of_waiting_events_is_counted_up_to_a_limit(client, operator, monkeypatch):
    for number in range(3):
        retrying_queue(f"Retrying {number}", 1)
    monkeypatch.setattr(queue_summary, "COUNT_LIMIT", 5)
    with CaptureQueriesContext(connection) as captured:
        page = look(client)
    assert lead(page).startswith("3 queues are blocked. 5+ events are waiting there.")
    assert [query for query in captured if "LIMIT 6) subquery" in query["sql"]]


def test_a_poll_without_changes_reads_no_logs(client, operator, django_assert_max_num_queries, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now)
    retrying_queue("First", 1)
    poll_url = TestPoll().poll_url(look(client))
    with django_assert_max_num_queries(8) as captured:
        client.get(poll_url, headers=HTMX)
    assert not [query for query in captured if 'FROM "logs_webhooklog" INNER JOIN' in query["sql"]]
