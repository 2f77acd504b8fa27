"""The page of all lanes: what it says of each, whom it shows what, and where its buttons lead back to."""

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
from logs.delivery import queue_list
from logs.delivery import queue_summary as health_lanes
from logs.models import AuditAction, AuditEntry, Priority, State, Subscription, WebhookLog

from ..factories import make_company, make_subscription, make_waiting_log

pytestmark = pytest.mark.django_db
HTMX = {"hx-request": "true", "hx-target": "lanes"}
LANES = "/queues/"
WRONG = [
    "?colour=red",
    "?all=yes",
    "?all=",
    "?all=1&colour=red",
    "?after=",
    "?after=1",
    "?after=9~1~625be93a286ef83c1c0e0000~x",
]


@pytest.fixture
def operator(client, member):
    user = member("Operator")
    client.force_login(user)
    return user


def make_lane(name: str, **fields) -> Subscription:
    return make_subscription(objectid.new_objectid(), name=name, **fields)


def retrying_lane(name: str, behind: int = 0, seconds: int = 25) -> Subscription:
    """A lane whose head failed once, and is tried again in so many seconds."""
    lane = make_lane(name)
    head = make_waiting_log(lane, 0, state=State.RETRYING, turn=Priority.BETWEEN_TRIES, tries_left=2, retry=1)
    in_a_while = timezone.now() + timedelta(seconds=seconds)
    values = {"cause": "http_5xx", "response": '{"password": "hunter2", "error": "bad gateway"}'}
    WebhookLog.objects.filter(pk=head.pk).update(next_attempt_at=in_a_while, **values)
    wait_behind(lane, behind)
    return lane


def exhausted_lane(name: str, behind: int = 0, **fields) -> tuple[Subscription, WebhookLog]:
    """A lane on hold as the recorder leaves it, and the log because of which it is."""
    lane = make_lane(name, holds_when_exhausted=True, held_at=timezone.now(), **fields)
    log = make_waiting_log(lane, 0, state=State.FAILED, retry=3, cause="timeout")
    WebhookLog.objects.filter(pk=log.pk).update(next_attempt_at=None)
    Subscription.objects.filter(pk=lane.pk).update(held_log=log.pk)
    wait_behind(lane, behind)
    return lane, log


def wait_behind(lane: Subscription, count: int) -> None:
    for number in range(1, count + 1):
        make_waiting_log(lane, number, object_name=f"No. {number} of {lane.name}")


def stopped_lane(name: str, count: int) -> Subscription:
    lane = make_lane(name)
    wait_behind(lane, count)
    Subscription.objects.filter(pk=lane.pk).update(is_active=False)
    return lane


def text(html: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", html)).split())


def look(client, address: str = LANES, status: int = 200, **headers) -> str:
    answer = client.get(address, headers=headers)
    assert answer.status_code == status
    return answer.content.decode()


def panel(page: str, lane: Subscription) -> str:
    return re.search(rf'<section class="panel" id="lane-{lane.pk}".*?</section>', page, re.DOTALL)[0]


def rows(page: str) -> list[str]:
    return [text(row) for row in re.findall(r"<tr>(.*?)</tr>", page.partition("<tbody>")[2], re.DOTALL)]


def lead(page: str) -> str:
    return text(re.search(r'<p class="lead">(.*?)</p>', page, re.DOTALL)[1])


def press(client, address: str, lane: Subscription, htmx: bool = False, **data):
    """A button of the lane's panel; the page, or by htmx the region, that one sees then."""
    data = {"next": f"{LANES}#lane-{lane.pk}"} | data
    return client.post(address, data, headers=HTMX if htmx else None, follow=True)


class TestWhatItSays:
    def test_one_sentence_answers_first(self, client, operator):
        retrying_lane("Incidents", 1)
        exhausted_lane("Elements", 3)
        stopped_lane("Legacy", 2)
        make_lane("Users")
        answer = lead(look(client))
        assert answer.startswith("2 queues are blocked. 5 events are waiting there. The oldest has been waiting since ")
        assert answer.endswith("1 inactive subscription has kept events to send or skip. 1 queue is active.")

    def test_where_nothing_is_blocked_it_says_so(self, client, operator):
        make_lane("Users")
        assert lead(look(client)) == "No queue is blocked. 1 queue is active."

    def test_without_subscriptions_it_says_what_a_lane_is(self, client, operator):
        page = look(client)
        assert "No queues yet" in page and 'class="lead"' not in page

    def test_what_cotalker_delivers_is_counted_and_not_listed(self, client, operator):
        make_lane("Theirs", we_deliver=False)
        assert "Nothing is sent from here" in look(client)
        make_lane("Ours")
        page = look(client)
        assert lead(page) == "No queue is blocked. 1 queue is active."
        assert "Cotalker delivers 1 more subscription" in page and "Theirs" not in page

    def test_a_lane_between_tries_shows_the_head_the_countdown_and_the_next_four(self, client, operator):
        lane = retrying_lane("Incidents", behind=6)
        shown = panel(look(client), lane)
        head = lane.waiting().first()
        assert re.search(r"<h3 data-countdown>\s*Next attempt <time [^>]*>in 2\d s</time>", shown)
        assert f'href="{head.get_absolute_url()}"' in shown
        assert "attempt 2 of 3" in text(shown) and "Error at the receiver (5xx)" in shown
        assert "6 more waiting" in shown
        assert re.findall(r"No\. \d of Incidents", shown) == [f"No. {number} of Incidents" for number in range(1, 5)]
        assert f"?subscription={lane.pk}&amp;state=pending" in shown

    def test_what_is_masked_in_an_answer_stays_masked(self, client, operator):
        lane = retrying_lane("Incidents")
        shown = panel(look(client), lane)
        assert "bad gateway" in shown and "hunter2" not in shown

    def test_a_lane_that_holds_because_of_an_event_says_so(self, client, operator):
        lane, log = exhausted_lane("Elements", behind=1)
        shown = panel(look(client), lane)
        assert "First event failed after its last attempt" in shown and "attempted 3 times" in shown
        assert "Redeliver it, skip it, or resume without it" in shown
        assert "1 more waiting" in shown and log.get_absolute_url() in shown

    def test_a_lane_that_somebody_holds_names_the_person_and_does_not_count_down(self, client, operator):
        lane = retrying_lane("Incidents")
        lane.hold(by=operator)
        shown = panel(look(client), lane)
        assert f"{operator} paused this queue" in shown
        assert "First event is waiting" in shown and "data-countdown" not in shown

    def test_a_lane_on_hold_in_which_nothing_waits_says_that_too(self, client, operator):
        lane = make_lane("Quiet")
        lane.hold(by=operator)
        page = look(client)
        assert lead(page) == "1 queue is blocked. No events are waiting there yet."
        assert "No events waiting" in panel(page, lane)

    def test_what_is_kept_for_an_inactive_subscription_stands_apart(self, client, operator):
        lane = stopped_lane("Legacy", 3)
        shown = text(panel(look(client), lane))
        assert "Deactivated while 3 events were waiting. They are kept until someone sends or skips them." in shown
        assert "The first is No. 1 of Legacy" in shown and "Inactive" in shown

    def test_lanes_that_flow_tell_what_waits_and_what_they_do_with_an_exhausted_event(self, client, operator):
        busy = make_lane("Busy", holds_when_exhausted=True)
        now = timezone.now()
        WebhookLog.objects.filter(pk=make_waiting_log(busy).pk).update(created_at=now - timedelta(seconds=150))
        make_lane("Archive")
        assert rows(look(client)) == ["Busy 1 2 min Pause Pause", "Archive – – Continue Pause"]

    def test_names_stay_text(self, client, operator):
        name = "<script>alert(1)</script>"
        for lane in (retrying_lane(name), make_lane(name)):
            lane.hold(by=operator)
        stopped_lane(name, 1)
        make_lane(name)
        assert "<script>alert" not in look(client)

    def test_on_hold_comes_first_and_then_who_has_waited_the_longest(self, client, operator):
        for name, minutes in (("Young", 1), ("Old", 50)):
            lane = retrying_lane(name, behind=1)
            WebhookLog.objects.filter(subscription=lane, turn=Priority.WAITING).update(
                created_at=timezone.now() - timedelta(minutes=minutes)
            )
        exhausted_lane("Held")
        assert re.findall(r'id="of-\w+" [^>]*>(\w+)<', look(client)) == ["Held", "Old", "Young"]

    def test_the_address_that_showed_all_on_one_page_leads_to_the_first(self, client, operator):
        assert client.get(f"{LANES}?all=1").url == LANES

    @pytest.mark.parametrize("query", WRONG)
    def test_an_address_that_is_wrong_shows_nothing(self, client, operator, query):
        make_lane("Users")
        page = look(client, LANES + query, status=422)
        assert "This URL is not valid" in page and "Users" not in page


class TestPages:
    @pytest.fixture(autouse=True)
    def small_pages(self, monkeypatch):
        monkeypatch.setattr(queue_list, "PAGE_SIZE", 4)

    def walk(self, client) -> list[str]:
        """The pages, by their links."""
        pages, address = [], LANES
        while address:
            pages.append(look(client, address))
            found = re.search(r'rel="next" href="([^"]+)"', pages[-1])
            address = LANES + unescape(found[1]) if found else ""
        return pages

    def names(self, page: str) -> list[str]:
        return [unescape(name) for name in re.findall(r'id="of-\w+" [^>]*>([^<]+)<', page)]

    def test_every_lane_is_on_one_page_in_one_order(self, client, operator):
        old = timezone.now() - timedelta(hours=1)
        for number in range(3):
            Subscription.objects.filter(pk=exhausted_lane(f"Held {number}")[0].pk).update(held_at=old)  # of one moment
            retrying_lane(f"Retrying {number}", number)  # behind the first nothing waits
            stopped_lane(f"Kept {number}", 1)
            make_lane(f"Flows & ~{number}")
        make_lane("Off", is_active=False)
        lags = make_lane("Lags")
        WebhookLog.objects.filter(pk=make_waiting_log(lags).pk).update(created_at=old)
        pages = self.walk(client)
        assert [self.names(page) for page in pages] == [
            ["Held 0", "Held 1", "Held 2", "Retrying 1"],
            ["Retrying 2", "Retrying 0", "Kept 0", "Kept 1"],
            ["Kept 2", "Lags", "Flows & ~0", "Flows & ~1"],
            ["Flows & ~2"],
        ]
        assert len({lead(page) for page in pages}) == 1 and lead(pages[0]).startswith(
            "6 queues are blocked. 6 events are waiting"
        )
        assert "1–4 of 13 queues." in pages[0] and ">Next 4<" in pages[0] and "First page" not in pages[0]
        assert "9–12 of 13 queues." in pages[2] and ">Next 1<" in pages[2] and f'href="{LANES}">First page' in pages[2]
        assert "13–13 of 13 queues." in pages[3] and 'id="lanes-next"' not in pages[3]

    def test_where_all_fit_there_is_nothing_to_page(self, client, operator):
        for number in range(4):
            make_lane(f"Lane {number}")
        assert 'id="lanes-pages"' not in look(client)

    def test_a_page_keeps_its_place_when_lanes_before_it_go_or_come(self, client, operator):
        lanes = [make_lane(f"Lane {number}") for number in range(9)]
        second = LANES + unescape(re.search(r'rel="next" href="([^"]+)"', look(client))[1])
        lanes[3].delete()  # the very one that the address names
        make_lane("Lane 00")
        assert self.names(look(client, second)) == [f"Lane {number}" for number in range(4, 8)]

    def test_a_page_behind_the_last_says_so_and_leads_to_the_first(self, client, operator):
        make_lane("Users")
        page = look(client, f"{LANES}?after=4~0~{'f' * 24}~Z")
        assert (
            "No more queues." in page
            and "First page" in page
            and lead(page) == "No queue is blocked. 1 queue is active."
        )

    def test_a_page_asks_for_itself_and_its_buttons_lead_back_to_it(self, client, operator, monkeypatch):
        now = timezone.now()
        monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now)
        lanes = [make_lane(f"Läne & {number}") for number in range(6)]
        page = self.walk(client)[1]
        asking = TestPoll().told(page)
        assert client.get(asking, headers=HTMX).status_code == 204
        back = unescape(re.search(r'name="next" value="([^"]+)"', page)[1])
        assert self.names(look(client, back)) == ["Läne & 4", "Läne & 5"]
        held = client.post(reverse("logs:queue_pause", args=[lanes[5].pk]), {"next": back}, headers=HTMX, follow=True)
        assert self.names(held.content.decode()) == ["Läne & 4"]  # the other is on the first page now
        assert self.names(look(client, asking, **HTMX)) == ["Läne & 4"]

    def test_pages_show_nothing_of_other_companies(self, client, operator):
        other = make_company("625be93a286ef83c1c0e0000", "Other")
        for number in range(5):
            make_lane(f"Foreign {number}", company=other), exhausted_lane(f"Foreign held {number}", 1, company=other)
            make_lane(f"Own {number}")
        pages = self.walk(client)
        assert [name for page in pages for name in self.names(page)] == [f"Own {number}" for number in range(5)]
        behind_theirs = look(client, f"{LANES}?after=0~0~{Subscription.objects.get(name='Foreign held 0').pk}~x")
        assert self.names(behind_theirs) == [f"Own {number}" for number in range(4)]
        assert "of 5 queues" in behind_theirs and "Foreign" not in behind_theirs


class TestWho:
    def test_two_companies_never_mix(self, client, operator):
        other = make_company("625be93a286ef83c1c0e0000", "Other")
        foreign, log = exhausted_lane("Foreign", 3, company=other)
        WebhookLog.objects.filter(pk=log.pk).update(object_name="Secret thing")
        make_lane("Foreign too", company=other)
        own = retrying_lane("Own")
        page = look(client)
        assert lead(page).startswith("1 queue is blocked. 1 event is waiting there.")
        assert "Foreign" not in page and "Secret thing" not in page and foreign.pk not in page
        assert "Own" in panel(page, own)

    def test_who_sees_several_companies_is_told_whose_each_lane_is(self, client, django_user_model):
        client.force_login(django_user_model.objects.create_superuser("root"))
        own = retrying_lane("Incidents")
        assert "Austral" not in panel(look(client), own)
        make_lane("Foreign", company=make_company("625be93a286ef83c1c0e0000", "Other"))
        page = look(client)
        assert "Austral" in panel(page, own)
        assert any("Other" in row for row in rows(page))

    def test_a_viewer_sees_everything_and_no_button(self, client, member):
        client.force_login(member("Viewer"))
        retrying_lane("Incidents", 1), exhausted_lane("Elements", 1), stopped_lane("Legacy", 1), make_lane("Users")
        page = look(client).partition("<main")[2].partition("</main>")[0]
        for name in ("Incidents", "Elements", "Legacy", "Users"):
            assert name in page
        assert "<form" not in page and "<button" not in page and "Skip" not in page

    def test_the_navigation_leads_there(self, client, operator):
        page = look(client, "/")
        assert page.index('href="/logs/"') < page.index('href="/queues/"') < page.index('href="/failures/"')
        assert '<a href="/queues/" aria-current="page">Queues</a>' in look(client)

    def test_the_overview_and_the_subscription_lead_there(self, client, operator):
        lane = retrying_lane("Incidents")
        for address in ("/", lane.get_absolute_url()):
            assert re.search(r'href="/queues/">All queues</a>', look(client, address))


class TestPoll:
    def told(self, page: str) -> str:
        return unescape(re.search(r'hx-get="([^"]+)" hx-trigger="every 5s"', page)[1])

    def test_where_nothing_has_changed_it_answers_nothing(self, client, operator, monkeypatch):
        now = timezone.now()
        monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now)
        retrying_lane("Incidents", 1), stopped_lane("Legacy", 1), make_lane("Users")
        answer = client.get(self.told(look(client)), headers=HTMX)
        assert (answer.status_code, answer.content) == (204, b"")
        assert "no-store" in answer["Cache-Control"]

    @pytest.mark.parametrize("what", ["arrives", "is tried", "is held", "is skipped", "a minute goes by"])
    def test_what_has_changed_is_answered_with_the_region_alone(self, client, operator, monkeypatch, what):
        now = [timezone.now().replace(second=10)]
        monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now[0])
        lane = retrying_lane("Incidents", 1)
        asking = self.told(look(client))
        if what == "arrives":
            make_waiting_log(lane, 9)
        elif what == "is tried":
            WebhookLog.objects.filter(turn=Priority.BETWEEN_TRIES).update(next_attempt_at=now[0])
        elif what == "is held":
            lane.hold(by=operator)
        elif what == "is skipped":
            lane.waiting().last().skip(by=operator, reason="x")
        else:
            now[0] += timedelta(minutes=1)
        region = look(client, asking, **HTMX)
        assert region.lstrip().startswith('<div class="stack" id="lanes"') and "<html" not in region
        assert self.told(region) != asking
        assert 'id="messages"' not in region

    def test_a_page_that_was_asked_for_is_whole_whatever_was_told(self, client, operator):
        make_lane("Users")
        assert "<html" in look(client, self.told(look(client)))


class TestVerbs:
    """Each from its panel: one stays on the page, and sees what it did; by htmx and without."""

    @pytest.mark.parametrize("htmx", [False, True])
    def test_hold_and_release(self, client, operator, htmx):
        lane = retrying_lane("Incidents", 1)
        held = press(client, reverse("logs:queue_pause", args=[lane.pk]), lane, htmx)
        assert held.redirect_chain == [(f"{LANES}#lane-{lane.pk}", 302)]
        assert f"{operator} paused this queue" in panel(held.content.decode(), lane)
        assert "The queue of “Incidents” is paused." in held.content.decode()
        assert ("<html" in held.content.decode()) is not htmx
        free = press(client, reverse("logs:queue_resume", args=[lane.pk]), lane, htmx).content.decode()
        assert "Waiting for a retry" in panel(free, lane) and "The queue of “Incidents” has resumed." in free

    @pytest.mark.parametrize("htmx", [False, True])
    def test_retry_now(self, client, operator, htmx):
        lane = retrying_lane("Incidents")
        log = lane.waiting().get()
        page = press(client, reverse("logs:log_retry", args=[log.pk]), lane, htmx).content.decode()
        assert "First event is being sent" in panel(page, lane) and "The next attempt starts now." in page
        assert AuditEntry.objects.get(action=AuditAction.RETRIED_NOW).about == log.pk

    @pytest.mark.parametrize("htmx", [False, True])
    def test_re_deliver_the_head(self, client, operator, htmx):
        lane, log = exhausted_lane("Elements", 1)
        data = {"expected_attempts": "3"}
        page = press(client, reverse("logs:redelivery_create", args=[log.pk]), lane, htmx, **data).content.decode()
        assert "It is being sent again, and the queue resumes once it is delivered." in panel(page, lane)
        assert "The redelivery is queued, ahead of the other waiting events." in page
        log.refresh_from_db()
        assert (log.is_due, log.turn, log.requested_by) == (True, Priority.REDELIVERY, operator)

    @pytest.mark.parametrize("htmx", [False, True])
    def test_a_re_delivery_that_is_refused_says_why(self, client, operator, htmx):
        lane, log = exhausted_lane("Elements")
        Subscription.objects.update(url="")
        data = {"expected_attempts": "3"}
        page = press(client, reverse("logs:redelivery_create", args=[log.pk]), lane, htmx, **data).content.decode()
        assert "Its subscription has no URL yet." in page
        assert "First event failed after its last attempt" in panel(page, lane)

    def test_skip_asks_for_a_reason_and_leads_back(self, client, operator):
        lane = retrying_lane("Incidents", 1)
        log = lane.waiting().first()
        link = re.search(r'href="([^"]+/skip/[^"]*)"', panel(look(client), lane))[1]
        assert f'<a class="btn" href="{LANES}#lane-{lane.pk}">Cancel</a>' in look(client, link)
        answer = client.post(link, {"reason": "given by phone"}, follow=True)
        assert answer.redirect_chain == [(f"{LANES}#lane-{lane.pk}", 302)]
        assert "The event was skipped." in answer.content.decode()
        log.refresh_from_db()
        assert (log.state, log.is_due) == (State.SKIPPED, False)

    def test_skipping_what_is_kept_leads_back(self, client, operator):
        lane = stopped_lane("Legacy", 2)
        link = re.search(r'href="([^"]+/queue/skip/[^"]*)"', panel(look(client), lane))[1]
        assert f'<a class="btn" href="{LANES}#lane-{lane.pk}">Cancel</a>' in look(client, link)
        page = client.post(link, {"reason": "too late"}, follow=True).content.decode()
        assert "2 events were skipped." in page and "Legacy" not in page

    @pytest.mark.parametrize("htmx", [False, True])
    def test_what_is_kept_is_sent_and_stands_among_the_lanes_that_flow(self, client, operator, htmx):
        lane = stopped_lane("Legacy", 2)
        page = press(client, reverse("logs:queue_send_waiting", args=[lane.pk]), lane, htmx).content.decode()
        assert "The waiting events of “Legacy” are being sent." in page
        assert rows(page)[0].startswith("Legacy inactive; waiting events are being sent 2 ")

    @pytest.mark.parametrize("address", ["https://evil.example/", "//evil.example/", "javascript:alert(1)", "nowhere"])
    @pytest.mark.parametrize("name", ["queue_pause", "queue_resume", "queue_send_waiting", "log_retry", "log_skip"])
    def test_none_leads_anywhere_else(self, client, operator, address, name):
        lane = retrying_lane("Incidents")
        pk = lane.waiting().get().pk if name.startswith("log") else lane.pk
        answer = client.post(reverse(f"logs:{name}", args=[pk]), {"next": address, "reason": "x"})
        assert answer.status_code == 302 and answer.url.startswith(("/subscriptions/", "/logs/"))


@pytest.mark.django_db(transaction=True)
class TestWithAWorker:
    def test_a_head_that_is_received_lets_its_lane_flow(self, client, operator, receiver, deliver):
        lane, log = exhausted_lane("Elements", 2, url=receiver.url)
        press(client, reverse("logs:redelivery_create", args=[log.pk]), lane, expected_attempts="3")
        deliver()
        assert receiver.ids == [log.pk, *lane.logs.exclude(pk=log.pk).order_by("position").values_list("pk", flat=True)]
        page = look(client)
        assert lead(page) == "No queue is blocked. 1 queue is active."
        assert rows(page) == ["Elements – – Pause Pause"]

    def test_a_head_that_is_skipped_is_not_sent_and_the_next_is(self, client, operator, receiver, deliver):
        lane, log = exhausted_lane("Elements", 1, url=receiver.url)
        press(client, reverse("logs:log_skip", args=[log.pk]), lane, reason="given by phone")
        deliver()
        assert receiver.ids == [lane.logs.get(state=State.SUCCEEDED).pk] != [log.pk]

    def test_a_lane_that_was_held_sends_nothing_until_it_is_released(self, client, operator, receiver, deliver):
        lane, other = (make_lane(name, url=receiver.url) for name in ("Held", "Other"))
        waiting, sign = make_waiting_log(lane), make_waiting_log(other)
        press(client, reverse("logs:queue_pause", args=[lane.pk]), lane)
        deliver(until=WebhookLog.objects.succeeded())
        assert receiver.ids == [sign.pk]
        press(client, reverse("logs:queue_resume", args=[lane.pk]), lane)
        deliver()
        assert receiver.ids == [sign.pk, waiting.pk]


@pytest.mark.parametrize(("role", "times_three"), [("Operator", 100), ("superuser", 20)])
def test_thirty_lanes_and_three_hundred_cost_the_same(
    client, member, django_user_model, monkeypatch, role, times_three
):
    """Queries, rows with details, and bytes."""
    client.force_login(member(role) if role == "Operator" else django_user_model.objects.create_superuser("root"))
    monkeypatch.setattr(queue_list, "PAGE_SIZE", 30)

    def cost() -> tuple[int, int, int]:
        with CaptureQueriesContext(connection) as captured:
            page = look(client)
        return len(captured), len(re.findall(r'id="of-\w+"', page)), len(page) // 4000

    def add(first: int, last: int) -> None:
        for number in range(first, last):
            (
                retrying_lane(f"Retrying {number:03}", 1),
                exhausted_lane(f"Held {number:03}"),
                make_lane(f"Flows {number:03}"),
            )

    add(0, 10)
    few = cost()
    add(10, times_three)
    many = cost()
    assert few[:2] == many[:2] and many[0] <= 14 and many[1] == 30
    assert many[2] <= few[2] * 2  # thirty panels in place of twenty, and ten rows


def test_what_waits_is_counted_only_in_the_lanes_that_are_shown(client, operator, monkeypatch):
    monkeypatch.setattr(queue_list, "PAGE_SIZE", 2)
    lanes = [retrying_lane(f"Retrying {number}", 1 + number) for number in range(4)]
    with CaptureQueriesContext(connection) as captured:
        look(client)
    [counting] = [query["sql"] for query in captured if "AS counted" in query["sql"]]
    assert [lane.pk in counting for lane in lanes] == [True, True, False, False]


def test_the_sum_of_what_waits_is_counted_to_a_limit(client, operator, monkeypatch):
    for number in range(3):
        retrying_lane(f"Retrying {number}", 1)
    monkeypatch.setattr(health_lanes, "COUNT_LIMIT", 5)
    with CaptureQueriesContext(connection) as captured:
        page = look(client)
    assert lead(page).startswith("3 queues are blocked. 5+ events are waiting there.")
    assert [query for query in captured if "LIMIT 6) subquery" in query["sql"]]


def test_a_poll_without_news_reads_no_logs(client, operator, django_assert_max_num_queries, monkeypatch):
    now = timezone.now()
    monkeypatch.setattr("logs.views.queues.timezone.now", lambda: now)
    retrying_lane("First", 1)
    asking = TestPoll().told(look(client))
    with django_assert_max_num_queries(8) as captured:
        client.get(asking, headers=HTMX)
    assert not [query for query in captured if 'FROM "logs_webhooklog" INNER JOIN' in query["sql"]]
