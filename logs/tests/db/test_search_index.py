"""The search index when it has not all words, and rebuilding it; tested through the search of the page."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from logs.db import search_vectors
from logs.logsearch import matching
from logs.logsearch.filterset import WebhookLogFilterSet
from logs.logsearch.finder import Finder
from logs.models import Payload, WebhookLog

from ..factories import ids_found, make_log, search_for

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("subscription")]
IDS = [f"62742b759d46b300{number:08x}" for number in range(100_000)]


def test_an_event_of_megabytes_is_found_by_its_last_id_without_being_read(monkeypatch):
    monkeypatch.setattr(matching, "term_matches", None)
    large = make_log(1, event={"data": {"items": [{"asset": pk} for pk in IDS], "last": "mecánico"}})
    small = make_log(2, event={"data": {"asset": IDS[0]}})
    assert len(Payload.objects.get(pk=large.pk).event) > 3_500_000
    assert ids_found(IDS[-1]) == ids_found("mecanico") == ids_found(f"{IDS[0]} {IDS[50_000]} mecan") == [large.pk]
    assert ids_found(f"-{IDS[-1]}") == ids_found(f"{IDS[0]} -mecanico") == [small.pk]
    assert ids_found(IDS[0]) == [small.pk, large.pk]


class TestMoreWordsThanAVectorTakes:
    """A few words stand for a megabyte of them: they fill several vectors, or more than there are."""

    @pytest.fixture(params=[20, 60])
    def large(self, subscription, monkeypatch, request) -> WebhookLog:
        monkeypatch.setattr(search_vectors, "MAX_VECTOR_BYTES", request.param)
        data = {"name": "Bomba", "deep": {"note": "la última válvula", "asset": IDS[7]}, "password": "hidden"}
        log = make_log(1, response="connect ETIMEDOUT", event={"data": data})
        payload = Payload.objects.get(pk=log.pk)
        assert payload.search_2 and ("'+'" in payload.search) == bool(payload.search_4) == (request.param == 20)
        return log

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
    def test_the_log_is_found_by_words_beyond_the_first_vector(self, large, text):
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
    def test_the_log_is_not_found_by_missing_words(self, large, text):
        assert large.pk not in ids_found(text)

    def test_the_log_is_found_by_its_id(self, large):
        assert ids_found(large.pk) == [large.pk]
        assert large.pk not in ids_found(f"-{large.pk}")


def test_reading_events_respects_the_time_limit(monkeypatch):
    logs = [make_log(number, event={"data": {"name": "one two"}}) for number in range(1, 5)]
    monkeypatch.setattr(matching, "MATCH_BATCH_BYTES", 0)
    result = Finder(WebhookLogFilterSet(search_for('"two one"')).criteria, seconds=0).find()
    assert (result.keys, result.searched_until and result.searched_until.pk) == ([], logs[-1].pk)
    assert Finder(WebhookLogFilterSet(search_for('"two one"')).criteria).find().searched_until is None


def test_a_command_rebuilds_the_index(capsys, settings):
    log = make_log(1, response="connect ETIMEDOUT", event={"data": {"name": "Bomba", "plate": "hidden"}})
    make_log(2, response="ok")
    Payload.objects.filter(pk=log.pk).update(search="'old'")
    WebhookLog.objects.filter(pk=log.pk).update(search="'old'")
    assert ids_found("bomba") == ids_found("etimedout") == []

    call_command("rebuild_search_index")
    assert capsys.readouterr().out == "4 events and responses were read, 2 of them were updated in the search index.\n"
    assert ids_found("bomba") == ids_found("etimedout") == ids_found("hidden") == [log.pk]
    assert ids_found("old") == []

    settings.MASKED_KEYS = ["plate"]
    call_command("rebuild_search_index")
    assert capsys.readouterr().out == "4 events and responses were read, 1 of them were updated in the search index.\n"
    assert ids_found("hidden") == []
    assert ids_found("bomba") == [log.pk]
