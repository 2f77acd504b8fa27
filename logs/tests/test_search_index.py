"""The index of words where it has not all of them, and where it is made anew; through the page's search."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from logs.explorer import occurrences
from logs.explorer.finding import Finder
from logs.filters import WebhookLogFilter
from logs.models import Payload, WebhookLog
from logs.payloads import tokens

from .factories import ids_found, make_log, make_subscription, search_for

pytestmark = pytest.mark.django_db
IDS = [f"62742b759d46b3000797{number:04x}" for number in range(12_000)]


@pytest.fixture(autouse=True)
def subscription(db):
    return make_subscription()


def test_an_event_of_megabytes_is_found_by_its_last_id():
    data = {"items": [{"asset": pk, "name": f"pump {number}"} for number, pk in enumerate(IDS * 4)], "last": "f" * 24}
    large, small = make_log(1, event={"data": data}), make_log(2)
    assert len(Payload.objects.get(pk=large.pk).event) > 2_500_000
    assert ids_found(IDS[-1]) == ids_found("f" * 24) == ids_found(f"{IDS[0]} 47999") == [large.pk]
    assert ids_found(f"-{IDS[-1]}") == [small.pk]


class TestMoreWordsThanTheIndexHas:
    """A few words take the place of a megabyte of them."""

    @pytest.fixture
    def large(self, monkeypatch) -> WebhookLog:
        monkeypatch.setattr(tokens, "BYTES_LIMIT", 30)
        data = {"name": "Bomba", "deep": {"note": "la última válvula", "asset": IDS[7]}, "password": "hidden"}
        return make_log(1, response="connect ETIMEDOUT", event={"data": data})

    @pytest.fixture(autouse=True)
    def small(self, large) -> WebhookLog:
        return make_log(2, response="ok", event={"data": {"name": "Ana"}})

    @pytest.mark.parametrize(
        "text",
        [
            "bomba",
            IDS[7],
            "valv",
            "bomba valvula",
            '"última válvula"',
            f"data.deep.asset:{IDS[7]}",
            f"bomba {IDS[7]} -{IDS[8]}",
            '-"válvula última"',
            "-data.deep.asset:ana -ana",
            "ETIMEDOUT",
            "response:etimedout",
            "valvula response:connect",
        ],
    )
    def test_it_is_found_by_what_is_not_in_the_index(self, large, text):
        assert large.pk in ids_found(text)

    @pytest.mark.parametrize(
        "text",
        [
            IDS[8],
            "alvula",
            "bomba nothing",
            "hidden",
            f"-{IDS[7]}",
            "-bomba",
            '-"última válvula"',
            "response:valvula",
            "-response:etimedout",
            "data.name:valvula",
        ],
    )
    def test_it_is_not_found_by_what_is_not_there(self, large, text):
        assert large.pk not in ids_found(text)

    def test_by_its_own_id(self, large):
        assert ids_found(large.pk) == [large.pk]
        assert large.pk not in ids_found(f"-{large.pk}")


def test_reading_events_has_the_time_limit_too(monkeypatch):
    logs = [make_log(number, event={"data": {"name": "one two"}}) for number in range(1, 5)]
    monkeypatch.setattr(occurrences, "BYTES_AT_ONCE", 0)
    found = Finder(WebhookLogFilter(search_for('"two one"')).criteria, seconds=0).find()
    assert (found.keys, found.looked_until and found.looked_until.pk) == ([], logs[-1].pk)
    assert Finder(WebhookLogFilter(search_for('"two one"')).criteria).find().looked_until is None


def test_the_index_is_made_anew_by_a_command(capsys, settings):
    log = make_log(1, response="connect ETIMEDOUT", event={"data": {"name": "Bomba", "plate": "hidden"}})
    make_log(2, response="ok")
    Payload.objects.filter(pk=log.pk).update(search="'old'")
    WebhookLog.objects.filter(pk=log.pk).update(search="'old'")
    assert ids_found("bomba") == ids_found("etimedout") == []

    call_command("rebuild_search")
    assert capsys.readouterr().out == "4 events and responses were read, and the words of 2 of them made anew.\n"
    assert ids_found("bomba") == ids_found("etimedout") == ids_found("hidden") == [log.pk]
    assert ids_found("old") == []

    settings.MASKED_KEYS = ["plate"]
    call_command("rebuild_search")
    assert capsys.readouterr().out == "4 events and responses were read, and the words of 1 of them made anew.\n"
    assert ids_found("hidden") == []
    assert ids_found("bomba") == [log.pk]
