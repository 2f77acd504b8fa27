"""How many pages of the database a worker reads to know what it is to send: a bounded number, however much was sent before."""

from datetime import UTC, datetime, timedelta

import pytest

from logs.delivery import lanes, last_look
from logs.delivery.leases import GROUPS
from logs.models import RunEntry, State, Subscription, WebhookLog
from logs.runs.feeding import feed

from .buffers import buffers_of
from .factories import COMPANY, import_logs, log_document, make_subscription
from .runs import start_run

pytestmark = pytest.mark.django_db(transaction=True)
OTHER = "62685990d918fb5557f90001"
OBJECT = "62742b7562f37034d939aaaa"
NEWER = datetime(2023, 1, 1, tzinfo=UTC)


def pages_of_claim(lane: Subscription) -> tuple[int, int]:
    """The pages that a claim for this lane reads, and the logs that it finds."""
    parameters = {"groups": list(range(GROUPS)), "busy": [], "woken": [lane.pk], "limit": 100, "ahead": lanes.AHEAD}
    parameters |= {"ahead_bytes": 1 << 20, "measured_bytes": 4096, "small_bytes": 1 << 20, "latest": 35.0}
    return buffers_of(lanes._CLAIM_WOKEN, parameters)


def pages_of_last_look(logs: list[str]) -> tuple[int, int]:
    lane = Subscription.objects.get(logs=logs[0])
    parameters = {"logs": logs, "after": [1] * len(logs), "versions": [lane.lane_version] * len(logs)}
    return buffers_of(last_look._LOOK, parameters | {"fetched": [False] * len(logs)})


def add_logs(lane: Subscription, number: int, state: State) -> None:
    """Newer logs of the object, settled."""
    first = WebhookLog.objects.count()
    WebhookLog.objects.bulk_create(
        WebhookLog(
            id=f"{int(NEWER.timestamp()) + n:08x}{n:016x}",
            subscription=lane,
            company=COMPANY,
            created_at=NEWER + timedelta(seconds=n),
            object_id=OBJECT,
            state=state,
        )
        for n in range(first, first + number)
    )


def test_whether_a_log_is_stale_does_not_cost_more_where_its_object_has_many_logs(member):
    lane, other = make_subscription(), make_subscription(OTHER)
    import_logs(*(log_document(n, {"data": {"_id": OBJECT}}, retry=1) for n in range(lanes.AHEAD)))
    start_run(member("Operator"), WebhookLog.objects.all())
    feed()
    queued = list(RunEntry.objects.filter(outcome="queued").order_by("number").values_list("log", flat=True))
    assert len(queued) == lanes.AHEAD
    before = [pages_of_claim(lane), pages_of_last_look(queued)]
    add_logs(lane, 1500, State.FAILED)
    add_logs(other, 1500, State.SUCCEEDED)
    after = [pages_of_claim(lane), pages_of_last_look(queued)]
    for (few, rows), (many, rows_of_many) in zip(before, after, strict=True):
        assert rows == rows_of_many == lanes.AHEAD
        assert many < few + 10 * lanes.AHEAD
