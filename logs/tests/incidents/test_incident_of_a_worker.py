"""An outage as a worker sees it: real deliveries to a receiver that fails and recovers."""

from __future__ import annotations

import pytest

from logs.models import Incident, IncidentEntry, State, WebhookLog

from ..factories import make_subscription, make_waiting_log
from ..processes import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
Kind = IncidentEntry.Kind


def test_a_worker_opens_an_incident_during_an_outage_and_resolves_it_when_all_is_delivered(start_worker, receiver):
    receiver.status = 503
    subscription = make_subscription(url=receiver.url)
    logs = [make_waiting_log(subscription, number, attempts_left=100) for number in range(3)]
    worker = start_worker(DELIVERY_RETRY_DELAY="0.5")
    wait_until(Incident.objects.exists)
    incident = Incident.objects.get()
    assert (incident.is_failing, incident.causes, incident.first_log) == (True, ["http_5xx"], logs[0].pk)
    receiver.status = 200
    wait_until(lambda: not WebhookLog.objects.exclude(state=State.DELIVERED).exists())
    wait_until(lambda: Incident.objects.get().resolved_at is not None)
    assert worker.stop() == 0
    incident = Incident.objects.get()
    assert (incident.delivered_count, incident.log_count) == (1, 1)
    assert list(incident.entries.values_list("kind", flat=True)) == [Kind.OPENED, Kind.RECOVERED, Kind.RESOLVED]
