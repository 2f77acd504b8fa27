"""The API for scripts: POST /api/v3/events with a bearer token."""

import json

import pytest
from django.db import OperationalError

from logs.ingest import credentials
from logs.models import ApiToken, Payload, WebhookLog
from logs.views.api import events as ingest

from ..events import as_array, as_bytes, make_event, make_token, post, waiting_logs
from ..factories import OTHER_COMPANY, make_company, make_subscription

ADDRESS = "/api/v3/events"
NDJSON = "application/x-ndjson"
pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (as_array(make_event(2), make_event(0), make_event(1)), "application/json"),
        (
            json.dumps([make_event(2), make_event(0), make_event(1)], indent=2).encode(),
            "application/json; charset=utf-8",
        ),
        (as_array(make_event(2), make_event(0), make_event(1)), ""),
        (b"\xef\xbb\xbf\n" + as_array(make_event(2), make_event(0), make_event(1)), "application/json"),
        (as_bytes(make_event(2), make_event(0), make_event(1)), NDJSON),
        (as_bytes(make_event(2), make_event(0), make_event(1)).replace(b"\n", b"\r\n\r\n") + b"\n", NDJSON),
    ],
    ids=["array", "pretty array", "no content type", "byte order mark", "NDJSON", "NDJSON of Windows"],
)
def test_a_batch_is_stored_in_its_order(client, body, content_type):
    subscription = make_subscription()
    answer = post(client, ADDRESS, body, make_token(), content_type)
    logs = waiting_logs(subscription)
    assert answer.status_code == 202
    assert answer.json() == {"accepted": [log.pk for log in logs], "errors": []}
    assert [log.object_id[-1] for log in logs] == ["2", "0", "1"]
    assert [log.sequence for log in logs] == sorted({log.sequence for log in logs})
    assert len({log.created_at for log in logs}) == 1
    assert [log.pk for log in logs] == sorted(log.pk for log in logs)


def test_a_single_event_is_accepted(client):
    make_subscription()
    answer = post(client, ADDRESS, as_bytes(make_event()), make_token())
    assert (answer.status_code, answer.json()["accepted"]) == (202, [WebhookLog.objects.get().pk])


def test_a_batch_can_go_to_many_queues(client):
    tasks, users = (
        make_subscription(),
        make_subscription(pk="62685990d918fb5557f9f993", trigger="create-edit-delete-user"),
    )
    events = [make_event(0), make_event(1, type="COTUser"), make_event(2), make_event(3, type="COTUser")]
    accepted = post(client, ADDRESS, as_array(*events), make_token()).json()["accepted"]
    assert [log.object_id[-1] for log in waiting_logs(tasks)] == ["0", "2"]
    assert [log.object_id[-1] for log in waiting_logs(users)] == ["1", "3"]
    assert len({log.sequence for log in waiting_logs(users)}) == 2
    assert accepted == [log.pk for pair in zip(waiting_logs(tasks), waiting_logs(users), strict=True) for log in pair]


EVENT = as_bytes(make_event())
BAD = {
    "NaN": (EVENT.replace(b'"indentation": 0', b'"indentation": NaN'), "", "NaN is not JSON"),
    "a key twice": (b'{"type": 1, "type": 2}', "", "the key 'type' occurs twice in one object"),
    "too deep": (EVENT.replace(b'"none"', b"[" * 200 + b"]" * 200), "", "nested deeper than 100 levels"),
    "a number without end": (
        EVENT.replace(b'"none"', b"9" * 4301),
        "",
        "the number 99999999999999999999…, of 4301 digits, is out of range",
    ),
    "not UTF-8": (EVENT.replace(b'"none"', b'"\xff"'), "", None),
    "no JSON": (b"<xml/>", "", None),
    "an array": (b'[{"a": 1}]', "", None),
    "a number": (b"7", "", None),
    "broken off": (EVENT[:-3], "", None),
    "no company": (as_bytes({"type": "COTTask", "event": "edit"}), "/company", "missing"),
    "no id": (as_bytes(make_event(company="x")), "/company", "not an ObjectId of 24 hex digits: 'x'"),
    "no type": (as_bytes(make_event(type=None)), "/type", "not a string of 1 to 60 characters"),
    "no event": (as_bytes(make_event(event="")), "/event", "not a string of 1 to 60 characters"),
}


@pytest.mark.parametrize(
    "fields",
    [
        {"createdAt": "yesterday"},
        {"createdAt": 1778414400000},
        {"data": []},
        {"data": {"name": "a\0b \ud83d"}},
        {"data": {"_id": 5, "taskGroup": {"a": 1}}},
    ],
)
def test_an_odd_event_with_company_and_type_is_accepted(client, fields):
    make_subscription()
    body = as_bytes(make_event(**fields))
    answer = post(client, ADDRESS, body, make_token())
    assert (answer.status_code, len(answer.json()["accepted"])) == (202, 1)
    assert WebhookLog.objects.get().payload.event == body.decode()


WAYS = {
    NDJSON: b"\n".join,
    "application/json": lambda events: b"[" + b",\n".join(events) + b"]",
}
# In an array, a missing or extra bracket breaks the neighbours, too.
IN_BATCHES = [
    pytest.param(way, *case, id=f"{what} in {way}")
    for way in WAYS
    for what, case in BAD.items()
    if way == NDJSON or what not in ("an array", "broken off")
]


@pytest.mark.parametrize(("way", "body", "path", "reason"), IN_BATCHES)
def test_a_mistake_in_an_event_is_reported_and_the_others_are_stored(client, way, body, path, reason):
    make_subscription()
    batch = WAYS[way]([as_bytes(make_event(1)), body, as_bytes(make_event(2))])
    answer = post(client, ADDRESS, batch, make_token(), way)
    [error] = answer.json()["errors"]
    assert answer.status_code == 202
    assert (error["index"], error["path"]) == (1, path)
    assert error["reason"].startswith(reason or "")
    assert len(answer.json()["accepted"]) == 2


@pytest.mark.parametrize("body", [case[0] for case in BAD.values() if not case[0].startswith(b"[")])
def test_a_bad_event_alone_is_422(client, body):
    answer = post(client, ADDRESS, body, make_token())
    assert answer.status_code == 422
    assert answer.json()["accepted"] == []
    assert [error["index"] for error in answer.json()["errors"]] == [0]


@pytest.mark.parametrize(
    ("body", "content_type"),
    [(b"", "application/json"), (b"[]", "application/json"), (b"[\n]", ""), (b"", NDJSON), (b"  \n \n", NDJSON)],
)
def test_a_body_without_events_is_422(client, body, content_type):
    answer = post(client, ADDRESS, body, make_token(), content_type)
    assert answer.status_code == 422
    assert answer.json()["errors"] == [{"index": None, "path": "", "reason": "The body contains no event."}]


def test_an_unclosed_array_is_reported_and_its_complete_events_are_kept(client):
    make_subscription()
    answer = post(client, ADDRESS, as_array(make_event(), make_event(1))[:-3], make_token())
    assert (answer.status_code, len(answer.json()["accepted"])) == (202, 1)
    assert [error["index"] for error in answer.json()["errors"]] == [1, 2]


def test_broken_json_is_reported_with_line_and_column(client):
    answer = post(client, ADDRESS, b'{\n  "type": nothing}', make_token())
    assert answer.json()["errors"][0]["reason"] == "not JSON: Expecting value (line 2, column 11)"


def test_only_events_of_the_companies_of_the_token_are_accepted(client):
    make_subscription()
    other = make_company(OTHER_COMPANY, "Other")
    both = post(client, ADDRESS, as_array(make_event(), make_event(1, company=OTHER_COMPANY)), make_token())
    assert both.status_code == 202
    assert both.json()["errors"] == [
        {"index": 1, "path": "/company", "reason": "the token is not for events of this company"}
    ]
    alone = post(client, ADDRESS, as_bytes(make_event(2)), make_token(other))
    assert alone.status_code == 422
    assert WebhookLog.objects.count() == 1
    assert post(client, ADDRESS, as_bytes(make_event(2)), make_token(other, make_company())).status_code == 202


def test_only_the_first_thousand_errors_are_listed(client):
    answer = post(client, ADDRESS, b"x\n" * 1500, make_token(), NDJSON)
    assert answer.status_code == 422
    assert len(answer.json()["errors"]) == 1000
    assert answer.json()["errors_left_out"] == 500


@pytest.mark.parametrize(
    "authorization", [None, "", "Bearer", "Bearer ", "Bearer cot_x", "Basic {token}", "{token}", "Bearer ü"]
)
def test_without_a_valid_token_it_is_401(client, authorization):
    headers = {} if authorization is None else {"Authorization": authorization.format(token=make_token())}
    answer = client.post(ADDRESS, EVENT, content_type="application/json", headers=headers)
    assert (answer.status_code, answer["WWW-Authenticate"]) == (401, 'Bearer realm="cotadmin"')
    assert answer.json()["accepted"] == []


def test_a_revoked_token_is_401_at_once(client):
    token = make_token()
    assert post(client, ADDRESS, EVENT, token).status_code == 202
    assert credentials.revoke_credential(ApiToken.objects.get(), by=None)
    assert post(client, ADDRESS, EVENT, token).status_code == 401


def test_a_session_does_not_replace_a_token(client, member):
    client.force_login(member("Administrator"))
    assert post(client, ADDRESS, EVENT).status_code == 401


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_other_content_types_are_415(client, content_type):
    answer = post(client, ADDRESS, EVENT, make_token(), content_type)
    assert answer.status_code == 415
    assert answer.json()["accepted"] == []


def test_a_compressed_body_is_415(client):
    answer = post(client, ADDRESS, EVENT, make_token(), **{"Content-Encoding": "gzip"})
    assert answer.status_code == 415


def test_the_use_of_a_token_is_recorded(client):
    post(client, ADDRESS, EVENT, make_token())
    assert ApiToken.objects.get().last_used_at is not None


def test_reasons_are_in_the_requested_language(client):
    answer = post(client, ADDRESS, b"", make_token(), **{"Accept-Language": "es"})
    assert answer["Content-Language"] == "es"


@pytest.mark.parametrize(
    ("error", "status", "retry_after"),
    [(OperationalError("the connection is lost"), 503, "5"), (RuntimeError("a fault"), 500, None)],
)
def test_a_server_error_is_reported_in_json_too(client, monkeypatch, caplog, error, status, retry_after):
    def fail(events):
        raise error

    monkeypatch.setattr(ingest, "accept_events", fail)
    answer = post(client, ADDRESS, EVENT, make_token())
    assert (answer.status_code, answer.headers.get("Retry-After")) == (status, retry_after)
    assert answer.json()["accepted"] == []
    assert str(error) in caplog.text


def test_a_batch_of_hundreds_costs_as_many_statements_as_one_event(client, django_assert_max_num_queries):
    subscription, token = make_subscription(), make_token()
    post(client, ADDRESS, EVENT, token)
    with django_assert_max_num_queries(9):
        post(client, ADDRESS, as_array(*(make_event(number) for number in range(1, 501))), token)
    assert len({log.sequence for log in waiting_logs(subscription)}) == 501
    assert Payload.objects.count() == 501
