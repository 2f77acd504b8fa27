"""The logs of the benchmark equal those that cotadmin would store; otherwise it would measure something else."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from benchmarks.explorer_data import is_loaded, load
from benchmarks.explorer_logs import COMMON_WORD, LOGS_OF_OBJECT, SMALL_COMPANY, asset_id
from logs.cotalker.outcomes import classify_outcome
from logs.db.search_vectors import event_vectors
from logs.models import Payload, WebhookLog
from logs.payloads.masking import masked_keys

from ..html import LOG_LIST, ids_in, text_of

LOGS = 2000


@pytest.fixture
def rates(transactional_db) -> dict[str, float]:
    return load(LOGS)


def words(vector: str) -> set[str]:
    return {word.strip("'") for word in vector.split()}


def test_the_loader_stores_what_cotadmin_would_store(rates, admin_client, capsys):
    assert rates["logs_per_s"] > 0
    assert is_loaded(LOGS)
    assert not is_loaded(LOGS + 1)
    assert WebhookLog.objects.count() == Payload.objects.count() == LOGS

    call_command("log_counts", "verify")
    assert "All counts are correct" in capsys.readouterr().out

    keys = masked_keys()
    for payload in Payload.objects.all()[:: LOGS // 50]:
        assert words(payload.search) == set(event_vectors(payload.event, keys)[0].split())
    for log in WebhookLog.objects.exclude(state="delivered"):
        assert log.cause == classify_outcome(log.status, log.response)
        assert log.fingerprint
    assert 0 < WebhookLog.objects.filter(company=SMALL_COMPANY).count() < LOGS * 0.03

    assert len(ids_in(admin_client.get(LOG_LIST, {"q": asset_id(LOGS // 2)}))) == LOGS_OF_OBJECT
    assert f"{LOGS:,} logs" in text_of(admin_client.get(LOG_LIST))
    assert len(ids_in(admin_client.get(LOG_LIST, {"q": COMMON_WORD}))) == 50


def test_loading_leaves_every_index_in_place(transactional_db):
    before = indexes()
    load(100)
    assert indexes() == before
    assert {"payload_words"} <= before


def indexes() -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexname FROM pg_indexes WHERE tablename IN ('logs_webhooklog', 'logs_payload')")
        return {name for (name,) in cursor.fetchall()}
