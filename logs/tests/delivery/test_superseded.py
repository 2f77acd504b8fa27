"""Superseded logs: a newer event of the object was delivered. The page says so, and sending needs a confirmation."""

from __future__ import annotations

import pytest
from django.urls import reverse

from logs.models import AuditEntry

from ..bulk_redeliveries import make_delivered_log, make_object_log
from ..factories import OTHER_SUBSCRIPTION, make_subscription
from ..html import HTMX, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("subscription")]
A, B = "62742b7562f37034d939aaaa", "62742b7562f37034d939bbbb"


def redeliver(client, log, headers=None, **fields):
    address = reverse("logs:redelivery_create", args=[log.pk])
    return client.post(address, {"expected_attempts": log.attempt_count} | fields, headers=headers or {})


def confirmation(log) -> str:
    return reverse("logs:redelivery_confirm", args=[log.pk])


def test_its_page_names_the_newest_delivered_event(client, operator):
    log, _newer, newest = make_object_log(1, A), make_delivered_log(2, A), make_delivered_log(3, A)
    page = client.get(log.get_absolute_url())
    assert "Superseded by a newer event of this object" in text_of(page)
    assert f'Superseded by <a href="{newest.get_absolute_url()}">' in page.content.decode()
    assert f'href="{confirmation(log)}"' in page.content.decode()


def test_nothing_else_supersedes_it(client, operator):
    make_subscription(OTHER_SUBSCRIPTION)
    make_delivered_log(0, A)
    log = make_object_log(1, A)
    make_object_log(2, A)
    make_delivered_log(3, A, subscription=OTHER_SUBSCRIPTION)
    make_delivered_log(4, B)
    assert "Superseded" not in text_of(client.get(log.get_absolute_url()))
    redeliver(client, log)
    log.refresh_from_db()
    assert log.is_queued


def test_a_superseded_log_is_sent_only_after_a_confirmation(client, operator):
    log, newer = make_object_log(1, A), make_delivered_log(2, A)
    assert redeliver(client, log)["Location"] == confirmation(log)
    assert redeliver(client, log, HTMX)["HX-Redirect"] == confirmation(log)
    log.refresh_from_db()
    assert not log.is_queued and not AuditEntry.objects.exists()

    page = client.get(confirmation(log))
    assert "Redeliver a superseded log?" in text_of(page)
    assert newer.get_absolute_url() in page.content.decode()
    redeliver(client, log, confirmed="yes")
    log.refresh_from_db()
    assert log.is_queued and AuditEntry.objects.count() == 1
