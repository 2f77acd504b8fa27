"""Which failures are one incident: the rules of docs/adr/0032-incidents.md, as a table of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from logs.incidents.grouping import Failure, Span, add_to_spans, receiver_of

DAY = datetime(2026, 11, 30, tzinfo=UTC)


def at(clock: str) -> datetime:
    hours, minutes = clock.split(":")
    return DAY + timedelta(hours=int(hours), minutes=int(minutes))


def failure(clock: str, subscription: str = "erp", cause: str = "http_5xx") -> Failure:
    return Failure(f"{subscription}-{clock}", "failed", cause, subscription, "austral", at(clock), "erp.example.com")


def spans_of(failures: str, deliveries: str = "") -> list[str]:
    """`failures` and `deliveries`: "erp 02:10, crm 02:11". Returns each incident as "02:10-02:11"."""
    delivered = [(name, at(clock)) for name, clock in _pairs(deliveries)]

    def has_delivered(subscription: str, start: datetime, end: datetime) -> bool:
        return any(name == subscription and start < moment < end for name, moment in delivered)

    spans: list[Span] = []
    add_to_spans(spans, [failure(clock, name) for name, clock in _pairs(failures)], has_delivered)
    return sorted(f"{span.started_at:%H:%M}-{span.last_failed_at:%H:%M}" for span in spans)


def _pairs(text: str) -> list[tuple[str, str]]:
    return [(name, clock) for name, clock in (part.split() for part in text.split(",") if part)]


@pytest.mark.parametrize(
    "failures, deliveries, incidents",
    [
        ("erp 02:10", "", ["02:10-02:10"]),
        ("erp 02:10, erp 02:20, erp 02:50", "", ["02:10-02:50"]),
        pytest.param("erp 02:50, erp 02:10, erp 02:20", "", ["02:10-02:50"], id="in any order"),
        pytest.param("erp 02:10, crm 02:15", "", ["02:10-02:15"], id="two subscriptions of one receiver"),
        pytest.param("erp 02:10, erp 02:40", "erp 02:20", ["02:10-02:40"], id="flapping within 30 minutes"),
        pytest.param("erp 02:10, erp 02:41", "erp 02:20", ["02:10-02:10", "02:41-02:41"], id="it worked in between"),
        pytest.param("erp 02:10, erp 07:00", "", ["02:10-07:00"], id="quiet in between: it never worked again"),
        pytest.param("erp 02:10, erp 07:00", "crm 03:00", ["02:10-07:00"], id="another subscription worked"),
        pytest.param("erp 02:10, crm 07:00", "crm 03:00", ["02:10-02:10", "07:00-07:00"], id="this one worked"),
        pytest.param("erp 02:10, erp 07:00", "erp 08:00", ["02:10-07:00"], id="it worked only afterwards"),
    ],
)
def test_failures_that_belong_together_are_one_incident(failures, deliveries, incidents):
    assert spans_of(failures, deliveries) == incidents


@pytest.mark.parametrize("clock, continues", [("03:00", True), ("03:30", True), ("03:31", False)])
def test_an_incident_goes_on_within_30_minutes_of_its_recovery(clock, continues):
    old = Span(at("02:10"), at("02:50"), recovered_at=at("03:00"), incident_id=7)
    spans = [old]
    add_to_spans(spans, [failure(clock)], lambda *_arguments: False)
    assert (len(spans) == 1) == continues
    assert old.recovered_at == (at("03:00") if not continues or clock == "03:00" else None)


def test_an_older_failure_extends_an_incident_to_its_beginning():
    old = Span(at("02:10"), at("02:50"), incident_id=7)
    add_to_spans([old], [failure("01:45")], lambda *_arguments: True)
    assert (old.started_at, old.last_failed_at) == (at("01:45"), at("02:50"))


@pytest.mark.parametrize(
    "url, receiver",
    [
        ("https://ERP.example.com/hooks?x=1", "erp.example.com"),
        ("https://erp.example.com:8443/hooks", "erp.example.com:8443"),
        ("https://user:secret@erp.example.com/", "erp.example.com"),
        ("http://[2001:db8::1]:80/", "2001:db8::1:80"),
        ("", "6268"),
        ("http://[", "6268"),
        ("http://host:99999/", "6268"),
        ("no url", "6268"),
    ],
)
def test_a_receiver_is_named_by_host_and_port(url, receiver):
    assert receiver_of(url, "6268") == receiver
