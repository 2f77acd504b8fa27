"""The limit of fingerprints: a receiver whose responses always differ must not inflate the log counts."""

from __future__ import annotations

import pytest
from django.urls import reverse

from logs.delivery import fingerprint_limit
from logs.delivery.fingerprint_limit import OTHER_FINGERPRINT
from logs.models import CompactedLogCount, State, WebhookLog
from logs.stats.compaction import compact

from ..factories import import_logs, log_document, make_subscription, make_waiting_log

SECOND = "62685990d918fb5557f9f993"
WORDS = ["alpha", "bravo", "charlie", "delta", "echo", "foxtrot", "golf", "hotel"]


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(fingerprint_limit, "MAX_FINGERPRINTS_PER_DAY", 3)


def failed(number: int, response: str, **fields):
    return log_document(number, status=500, response=response, **fields)


def fingerprints(**logs) -> list[str]:
    return list(WebhookLog.objects.filter(**logs).order_by("pk").values_list("fingerprint", flat=True))


@pytest.mark.django_db
def test_failures_with_request_ids_have_one_fingerprint_and_one_count():
    make_subscription()
    answers = [f'{{"error":"Internal error","requestId":"{number * 7919:08x}-{number:04x}"}}' for number in range(200)]
    import_logs(*(failed(number % 5, answer, _id=f"62742dd8{number:016x}") for number, answer in enumerate(answers)))
    assert set(fingerprints()) == {'{"error":"Internal error","requestId":"{id}"}'}
    assert CompactedLogCount.objects.filter(width=1440).values_list("count", flat=True).get() == 200


@pytest.mark.django_db
def test_an_import_respects_the_daily_limit_of_fingerprints(few, client, member):
    make_subscription()
    make_subscription(SECOND)
    import_logs(*(failed(number, f"no {word}") for number, word in enumerate(WORDS)))
    import_logs(failed(20, "no zulu"), failed(21, "no bravo"))  # a process that knows nothing yet
    import_logs(failed(22, "no zulu", subscription=SECOND), failed(60 * 24, "no zulu"))
    assert fingerprints() == [
        *["no alpha", "no bravo", "no charlie", *[OTHER_FINGERPRINT] * 5],
        *[OTHER_FINGERPRINT, "no bravo"],
        *["no zulu", "no zulu"],
    ]
    client.force_login(member("Viewer"))
    page = client.get(reverse("logs:webhook_log_list"), {"fingerprint": OTHER_FINGERPRINT})
    assert (
        page.context["total"].number == 6
        if "total" in page.context
        else page.content.decode().count("data-row-link") == 6
    )


@pytest.mark.django_db(transaction=True)
def test_deliveries_respect_the_daily_limit_of_fingerprints(few, receiver, deliver):
    def answer_something_else() -> None:
        receiver.body = f"no {WORDS[len(receiver.requests) - 1]}".encode()

    receiver.status, receiver.on_arrival = 500, answer_something_else
    subscription = make_subscription(url=receiver.url)
    for number in range(5):
        make_waiting_log(subscription, number, attempts_left=1)
    deliver()
    assert fingerprints(state=State.FAILED) == [
        "no alpha",
        "no bravo",
        "no charlie",
        OTHER_FINGERPRINT,
        OTHER_FINGERPRINT,
    ]
    compact()
    for number in range(5, 7):
        make_waiting_log(subscription, number, attempts_left=1)
    deliver()  # a worker that knows nothing yet
    assert fingerprints(state=State.FAILED)[5:] == [OTHER_FINGERPRINT, OTHER_FINGERPRINT]
