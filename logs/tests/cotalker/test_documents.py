import json
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from logs.cotalker.documents import (
    InvalidDocument,
    format_timestamp,
    object_name,
    read_event,
    read_log,
    read_subscription,
    write_log,
    write_subscription,
)
from logs.models import Subscription

from ..factories import SAMPLES, sample

LOG, SUBSCRIPTION, EVENT = (
    sample("webhook_log_task_create_failed"),
    sample("webhook_subscription"),
    sample("event_user_edit"),
)
ID = "62742dd824c886d54e60f02b"
MOMENT = datetime(2022, 5, 5, 20, 4, 40, 84000, UTC)
TEXT = st.text(st.characters(exclude_characters="\x00•", exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=15,
)


def text_of(value) -> bytes:
    return json.dumps(value).encode()


def log(**fields) -> bytes:
    """The sample log with other fields; a field that is `...` is omitted."""
    return text_of({key: value for key, value in (LOG | fields).items() if value is not ...})


def event(**fields) -> bytes:
    return log(event={key: value for key, value in (LOG["event"] | fields).items() if value is not ...})


def subscription(**fields) -> bytes:
    return text_of({key: value for key, value in (SUBSCRIPTION | fields).items() if value is not ...})


def written(data: bytes) -> str:
    read = read_log(data)
    return write_log(read, read.event.text)


def stored(data: bytes) -> Subscription:
    """A subscription that was never saved, as an import would fill it."""
    read = read_subscription(data)
    columns = {name: getattr(read, name) for name in read.__slots__ if name not in ("text", "is_corrected")}
    return Subscription(**columns, document=read.text)


class TestReadLog:
    def test_the_sample_is_read(self):
        read = read_log((SAMPLES / "webhook_log_task_create_failed.json").read_bytes())
        assert (read.id, read.company, read.subscription_id) == (ID, "625bcbdcc9a8e3a86dbf041c", SUBSCRIPTION["_id"])
        assert read.created_at == datetime(2022, 5, 5, 20, 4, 40, 84000, UTC)
        assert (read.status, read.retry, read.response) == (409, 3, "connect ETIMEDOUT 67.225.146.248:443")
        assert read.extra == '{"__v":0}'
        assert (read.event.type, read.event.action) == ("COTTask", "create")
        assert (read.event.object_id, read.event.object_name) == (
            "62742b7562f37034d9399914",
            "Equipment sector 1 - Equipment 1-A",
        )
        assert json.loads(read.event.text) == read.event.value == LOG["event"]

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (log(_id=...), "/_id: missing"),
            (log(_id=None), "/_id: not an ObjectId of 24 hex digits: 'None'"),
            (log(_id="62742dd824c886d54e60f02"), "/_id: not an ObjectId"),
            (log(_id=ID + "\n"), "/_id: not an ObjectId"),
            (log(_id="z" * 24), "/_id: not an ObjectId"),
            (log(company=...), "/company: missing"),
            (log(company=1), "/company: not an ObjectId"),
            (log(subscription=...), "/subscription: missing"),
            (log(subscription={"_id": ID}), "/subscription: not an ObjectId"),
            (log(createdAt=...), "/createdAt: missing"),
            (log(createdAt=None), "/createdAt: 'None' is not a date"),
            (log(createdAt="2022-02-30T00:00:00Z"), "/createdAt: '2022-02-30T00:00:00Z' is not a date such as"),
            (log(createdAt="0000-01-01T00:00:00Z"), "/createdAt"),
            (log(createdAt="0001-01-01T00:00:00+10:00"), "/createdAt"),
            (log(createdAt="9999-12-31T23:59:59-10:00"), "/createdAt"),
            (log(createdAt="1969-12-31T23:59:59Z"), "/createdAt"),
            (log(createdAt="2106-01-01T00:00:00Z"), "/createdAt"),
            (log(createdAt="2022-05-05T20:04:40.084"), "/createdAt"),
            (log(createdAt="2022-05-05"), "/createdAt"),
            (log(createdAt="yesterday"), "/createdAt"),
            (log(status=99999), "/status: not a whole number from 0 to 999"),
            (log(status=-1), "/status: not a whole number"),
            (log(status=True), "/status: not a whole number"),
            (log(status=409.5), "/status: not a whole number"),
            (log(status="4e2"), "/status: not a whole number"),
            (log(status=[409]), "/status: not a whole number"),
            (log(retry=-1), "/retry: not a whole number from 0 to 2147483647"),
            (log(retry=False), "/retry: not a whole number"),
            (log(retry=2**31), "/retry: not a whole number"),
            (log(event=...), "/event: missing"),
            (log(event=None), "/event: an event must be a JSON object"),
            (log(event="{}"), "/event: an event must be a JSON object"),
            (log(event=[]), "/event: an event must be a JSON object"),
            (b"[]", "not a JSON object"),
            (b'"x"', "not a JSON object"),
            (b"null", "not a JSON object"),
            (event(data={"a": float("nan")}), "NaN is not JSON"),
            (log().replace(b'"retry": 3', b'"retry": 1e400'), "the number 1e400 is out of range"),
            (log().replace(b'"retry": 3', b'"retry": ' + b"1" * 5000), "of 5000 digits, is out of range"),
            (log().replace(b'"retry": 3', b'"retry": 3, "retry": 3'), "the key 'retry' occurs twice"),
            (log().replace(b'"weight": 0', b'"weight": 0, "weight": 1'), "the key 'weight' occurs twice"),
            (log().replace(b'"weight": 0', b'"weight": ' + b"[" * 100_000), "nested deeper than 100 levels"),
        ],
    )
    def test_a_mistake_is_rejected_with_the_field_and_the_reason(self, data, reason):
        with pytest.raises(InvalidDocument) as caught:
            read_log(data)
        assert str(caught.value).startswith(reason) or reason in str(caught.value)

    def test_a_reason_stays_short(self):
        with pytest.raises(InvalidDocument) as caught:
            read_log(log(_id="x" * 100_000))
        assert len(str(caught.value)) < 200

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"type": ...}, ("", "create")),
            ({"type": "x" * 61, "event": None}, ("x" * 60, "")),
            ({"data": []}, ("COTTask", "create")),
            ({"data": "x"}, ("COTTask", "create")),
            ({"company": "x", "createdAt": "yesterday"}, ("COTTask", "create")),
            ({"createdAt": 1778414400000}, ("COTTask", "create")),
        ],
    )
    def test_the_event_of_a_log_may_have_any_fields(self, fields, words):
        read = read_log(event(**fields))
        assert (read.event.type, read.event.action) == words
        assert json.loads(write_log(read, read.event.text)) == json.loads(event(**fields))

    @pytest.mark.parametrize(
        ("fields", "column", "value"),
        [
            ({"status": "409"}, "status", 409),
            ({"status": 409.0}, "status", 409),
            ({"retry": 3.0}, "retry", 3),
            ({"response": {"a": [1.50]}}, "response", '{"a": [1.5]}'),
            ({"response": 5}, "response", "5"),
            ({"response": "a\x00b"}, "response", "a␀b"),
            ({"createdAt": 1651781080084}, "created_at", MOMENT),
            ({"createdAt": 1651781080.084}, "created_at", MOMENT),
        ],
    )
    def test_odd_types_are_read_by_meaning_and_written_as_they_were(self, fields, column, value):
        read = read_log(log(**fields))
        assert getattr(read, column) == value
        assert json.loads(write_log(read, read.event.text)) == json.loads(log(**fields))

    def test_our_outcome_replaces_an_odd_one(self):
        read = read_log(log(status="409", response={"a": 1}))
        read.status, read.response = 200, "ok"
        assert json.loads(write_log(read, read.event.text)) == LOG | {"status": 200, "response": "ok"}

    def test_unpaired_escapes_are_kept_exactly(self):
        text = '{"type":"COTTask","event":"edit","data":{"name":"Turno \\ud83d","a":"\\u0000","b":"\\\\u0000 \\ud83d\\ude00"}}'
        data = log(more="EVENT", other=["\ud800", "😀"]).replace(text_of(LOG["event"]), text.encode())
        read = read_log(data)
        assert (read.event.text, read.event.object_name) == (text, "Turno �")
        assert read.event.value["data"]["a"] == "␀"
        assert json.loads(write_log(read, read.event.text)) == json.loads(data)

    def test_comments_and_trailing_commas_are_removed_and_reported(self):
        data = b"""{ // a log
            "_id": "62742dd824c886d54e60f02b", "company": "625bcbdcc9a8e3a86dbf041c", "createdAt": "2022-05-05T20:04:40Z",
            "subscription": "62685990d918fb5557f9f992", /* of "it" { */ "response": "http://a, // no comment,]",
            "event": {"type": "COTTask", "n": 1.10, "list": [1, 2, ], // ids
            "data": {"url": "https://x/*y*/",},}, }"""
        read = read_log(data)
        assert read.is_corrected
        assert read.response == "http://a, // no comment,]"
        event = read.event.text
        assert json.loads(event) == {"type": "COTTask", "n": 1.1, "list": [1, 2], "data": {"url": "https://x/*y*/"}}
        assert event.startswith('{"type": "COTTask", "n": 1.10, "list": [1, 2 ], ')
        assert not read_log(log()).is_corrected

    @pytest.mark.parametrize(
        ("object_id", "expected"), [(ID.upper(), ID), ("not an id", ""), (5, ""), (None, ""), ({"$oid": ID}, "")]
    )
    def test_an_object_without_a_proper_id_is_accepted(self, object_id, expected):
        assert read_log(event(data={"_id": object_id})).event.object_id == expected

    def test_a_logout_has_no_data(self):
        extra = {"userId": ID, "timestamp": 1651781080}
        read = read_log(event(type="Auth", event="logout", data=None, extraData=extra))
        assert (read.event.type, read.event.action, read.event.object_id, read.event.object_name) == (
            "Auth",
            "logout",
            "",
            "",
        )


class TestWriteLog:
    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"status": None, "retry": None, "response": None},
            {"status": ..., "retry": ..., "response": ..., "__v": ...},
            {"_id": ID.upper(), "company": "625BCBDCC9A8E3A86DBF041C"},
            {"createdAt": "2022-05-05T20:04:40.084123Z"},
            {"createdAt": "2022-05-05T20:04:40.084123456Z"},
            {"createdAt": "2022-05-05T20:04:40.084+00:00"},
            {"createdAt": "2022-05-05T16:04:40.084-04:00"},
            {"createdAt": "2022-05-05T20:04:40Z"},
            {"createdAt": "20220505T200440Z"},
            {"__v": None, "unknown": [1, {"a": None}], 'ünknown "key"': "<b>&</b>", "": 1},
            {"response": 'line\nline\ttab "quoted" \u2028 é 😀', "status": 0, "retry": 0},
            {"response": ""},
            {"extra": "x", "id": "y", "subscription_id": "z"},
        ],
    )
    def test_a_document_is_written_as_it_was_read(self, fields):
        assert json.loads(written(log(**fields))) == json.loads(log(**fields))

    def test_fields_keep_the_order_of_cotalker(self):
        assert list(json.loads(written(log()))) == list(LOG)

    def test_a_pretty_printed_document_is_written_on_one_line(self):
        text = (SAMPLES / "webhook_log_task_create_failed.json").read_bytes()
        assert "\n" not in written(text)
        assert json.loads(written(text)) == LOG

    def test_an_event_keeps_its_bytes(self):
        text = '{"type":"COTTask" , "event":"edit","data":{"b":1.10,"a":1e2,"c":-0,"u":"\\u00e9é\\/","":[ ]}}'
        data = log().replace(text_of(LOG["event"]), text.encode())
        assert read_log(data).event.text == text
        assert text in written(data)

    def test_our_outcome_replaces_that_of_cotalker(self):
        read = read_log(log(status=None, response=None))
        read.status, read.retry, read.response = 200, 4, "ok"
        assert json.loads(write_log(read, read.event.text)) == LOG | {"status": 200, "retry": 4, "response": "ok"}

    @settings(max_examples=200)
    @given(
        st.dictionaries(TEXT, JSON, max_size=5),
        st.dictionaries(TEXT, JSON, max_size=3),
        st.booleans(),
        st.sampled_from([None, 2]),
    )
    def test_open_ended_data_and_unknown_fields_come_out_equal(self, data, unknown, ensure_ascii, indent):
        document = unknown | LOG | {"event": LOG["event"] | {"data": data}}
        text = json.dumps(document, ensure_ascii=ensure_ascii, indent=indent)
        assert json.loads(written(text.encode())) == document
        assert read_log(text.encode()).event.text in text

    @pytest.mark.parametrize("html", ["<script>alert(1)</script>", "&lt;", "\"'><img src=x>", "javascript:alert(1)"])
    def test_html_is_kept_as_it_is(self, html):
        data = {html: html, "name": html}
        document = json.loads(written(log(event=LOG["event"] | {"data": data}, response=html, **{html: html})))
        assert (document["event"]["data"], document["response"], document[html]) == (data, html, html)


class TestExtendedJSON:
    def test_extended_json_of_mongoexport_reads_like_plain_json(self):
        extended = json.loads(log())
        for place, key in [
            (extended, "_id"),
            (extended, "company"),
            (extended, "subscription"),
            (extended["event"]["data"], "_id"),
        ]:
            place[key] = {"$oid": place[key]}
        for place in (extended, extended["event"], extended["event"]["data"]):
            place["createdAt"] = {"$date": place["createdAt"]}
        extended["status"] = {"$numberInt": "409"}
        extended["retry"] = {"$numberLong": "3"}
        extended["event"]["data"]["relativeWeight"] = {"$numberDouble": "1.0"}
        read = read_log(text_of(extended))
        assert json.loads(write_log(read, read.event.text)) == LOG
        assert read.event.object_id == LOG["event"]["data"]["_id"]

    @pytest.mark.parametrize(
        ("date", "plain"),
        [
            ("2022-05-05T20:04:40.084Z", "2022-05-05T20:04:40.084Z"),
            ("2022-05-05T20:04:40Z", "2022-05-05T20:04:40.000Z"),
            ("2026-05-10T12:00:00.1Z", "2026-05-10T12:00:00.100Z"),
            ("2026-05-10T08:00:00.340-0400", "2026-05-10T12:00:00.340Z"),
            ({"$numberLong": "-62135596800000"}, "0001-01-01T00:00:00.000Z"),
            ({"$numberLong": "-62135596800001"}, "0000-12-31T23:59:59.999Z"),
            ({"$numberLong": "253402300800000"}, "+010000-01-01T00:00:00.000Z"),
            (-8640000000000000, "-271821-04-20T00:00:00.000Z"),
            (1651781080084, "2022-05-05T20:04:40.084Z"),
            ({"$numberLong": "1651781080084"}, "2022-05-05T20:04:40.084Z"),
            ({"$numberLong": "-1"}, "1969-12-31T23:59:59.999Z"),
        ],
    )
    def test_every_date_format_is_read(self, date, plain):
        data = log(_id={"$oid": ID}, event=LOG["event"] | {"data": {"at": {"$date": date}}})
        assert read_log(data).event.value["data"] == {"at": plain}

    @pytest.mark.parametrize("date", [10**15 - 1, {"$numberLong": "9" * 30}, None, "nonsense"])
    def test_an_impossible_date_is_rejected_where_it_matters(self, date):
        with pytest.raises(InvalidDocument, match=r"^/createdAt: "):
            read_log(log(_id={"$oid": ID}, createdAt={"$date": date}))
        assert read_log(log(_id={"$oid": ID}, event=LOG["event"] | {"data": {"at": {"$date": date}}}))

    def test_text_that_looks_like_a_wrapper_is_left_alone(self):
        response = '{"$oid": "62742dd824c886d54e60f02b"} {"$date": 1} {"$numberInt": "5"}'
        assert read_log(log(_id={"$oid": ID}, response=response)).response == response

    def test_a_plain_document_is_not_touched(self):
        data = {"odd": {"$oid": ID}, "n": {"$numberInt": "5"}}
        assert read_log(log(event=LOG["event"] | {"data": data})).event.value["data"] == data

    @pytest.mark.parametrize("number", ["0x1", "", "1_000", "05"])
    def test_a_number_outside_json_stays_wrapped(self, number):
        data = {"n": {"$numberDouble": number}}
        assert read_log(log(_id={"$oid": ID}, event=LOG["event"] | {"data": data})).event.value["data"] == data

    @pytest.mark.parametrize(
        ("number", "plain"),
        [
            ("409.0", "409"),
            ("1.630947233455E+12", "1630947233455"),
            ("-0.0", "0"),
            ("1.50", "1.5"),
            ("1E-07", "1e-7"),
            ("0.000001", "0.000001"),
            ("1e21", "1e+21"),
            ("451705202893030424576.0", "451705202893030400000"),
            ("1.5", "1.5"),
            ("7", "7"),
        ],
    )
    def test_doubles_are_written_as_the_api_writes_them(self, number, plain):
        relaxed, canonical = (
            log(_id={"$oid": ID}, event=LOG["event"] | {"data": {"n": "N", "text": "1.0"}}).replace(
                b'"N"', text.encode()
            )
            for text in (number, f'{{"$numberDouble": "{number}"}}')
        )
        for data in (relaxed, canonical):
            assert f'"data": {{"n": {plain}, "text": "1.0"}}' in read_log(data).event.text

    @pytest.mark.parametrize("number", ["NaN", "Infinity", "-Infinity"])
    def test_a_double_that_is_not_a_number_is_null_as_in_the_api(self, number):
        data = {"n": {"$numberDouble": number}}
        assert read_log(log(_id={"$oid": ID}, event=LOG["event"] | {"data": data})).event.value["data"] == {"n": None}

    def test_a_decimal_keeps_its_digits(self):
        data = {"n": {"$numberDecimal": "0.12345678901234567890"}}
        text = read_log(log(_id={"$oid": ID}, event=LOG["event"] | {"data": data})).event.text
        assert '{"n": 0.12345678901234567890}' in text

    def test_a_date_beside_a_plain_id_is_read(self):
        read = read_log(log(createdAt={"$date": "2022-05-05T20:04:40.084Z"}))
        assert read.created_at == MOMENT
        assert read.extra == '{"__v":0}'

    def test_an_invalid_id_is_rejected(self):
        with pytest.raises(InvalidDocument, match=r"^/_id: "):
            read_log(log(_id={"$oid": "xyz"}))


class TestEvent:
    def test_the_sample_is_read(self):
        data = (SAMPLES / "event_user_edit.json").read_bytes()
        read = read_event(data)
        assert (read.type, read.action, read.object_id) == ("COTUser", "edit", "6261612a8f1e9999775c8be4")
        assert read.object_name == "Mechanic Profile I"
        assert read.text == data.decode().strip()
        assert read.value == EVENT

    @pytest.mark.parametrize(
        ("data", "reason"),
        [(b"{}", "/type: missing"), (b"[]", "not a JSON object"), (b'{"type": 1}', "/type: not a string")],
    )
    def test_a_mistake_is_rejected(self, data, reason):
        with pytest.raises(InvalidDocument, match=f"^{reason}"):
            read_event(data)


@pytest.mark.parametrize(
    ("data", "name"),
    [
        ({"name": " Pump 118 "}, "Pump 118"),
        ({"name": {"displayName": "Tom", "names": "Thomas", "lastName": "Gardner"}}, "Tom"),
        ({"name": {"displayName": "", "names": "Thomas", "lastName": "Gardner"}}, "Thomas Gardner"),
        ({"name": {"names": "Thomas", "lastName": None}}, "Thomas"),
        ({"name": {"displayName": 5}}, ""),
        ({"name": {"code": "ford_mustang", "display": "Ford Mustang"}}, "Ford Mustang"),
        ({"name": {"code": "ford_mustang", "display": " "}}, "ford_mustang"),
        ({"name": 5, "title": "Survey"}, "Survey"),
        ({"name": "", "display": "Shown"}, "Shown"),
        ({"name": "x" * 500}, "x" * 200),
        ({"name": ["a"]}, ""),
        ({}, ""),
        (None, ""),
    ],
)
def test_an_object_has_the_name_that_people_use(data, name):
    assert object_name(data) == name


class TestSubscription:
    def test_the_sample_is_read(self):
        read = read_subscription((SAMPLES / "webhook_subscription.json").read_bytes())
        assert (read.id, read.company_id) == (SUBSCRIPTION["_id"], SUBSCRIPTION["company"])
        assert (read.name, read.code, read.description) == (
            "Work Orders Update",
            "wo_update",
            "Sends updates on Work Orders",
        )
        assert (read.url, read.is_active, read.trigger) == ("https://www.server.com", True, "create-edit-delete-task")
        assert (read.context_survey, read.context_group, read.context_task_group) == (
            "",
            "",
            "6261612a8f1e99002e5c8cce",
        )

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (subscription(_id=...), "/_id: missing"),
            (subscription(company="x"), "/company: not an ObjectId"),
            (subscription(code=...), "/code: missing"),
            (subscription(code=""), "/code: not a string of 1 to 100 characters"),
            (subscription(code="x" * 101), "/code: "),
            (subscription(code=5), "/code: not a string"),
            (subscription(trigger=...), "/trigger: missing"),
            (subscription(trigger="x" * 41), "/trigger: not a string of 1 to 40 characters"),
            (subscription(name=" "), "/name: empty or longer"),
            (subscription(name="x" * 201), "/name: empty or longer"),
            (subscription(url="ftp://server"), "/url: not an http"),
            (subscription(url="javascript:alert(1)"), "/url: not an http"),
            (subscription(url="https://a b"), "/url: not an http"),
            (subscription(url=None), "/url: not a string"),
            (subscription(isActive="true"), "/isActive: neither true nor false"),
            (subscription(isActive=1), "/isActive: neither true nor false"),
            (subscription(context=[1]), "/context: not an object"),
            (subscription(context={"taskGroup": "x"}), "/context/taskGroup: not an ObjectId"),
            (subscription(description=[]), "/description: not a string"),
        ],
    )
    def test_a_mistake_is_rejected_with_the_field_and_the_reason(self, data, reason):
        with pytest.raises(InvalidDocument) as caught:
            read_subscription(data)
        assert str(caught.value).startswith(reason)

    @pytest.mark.parametrize(
        "fields",
        [
            {},
            {"context": None},
            {"context": ...},
            {"context": {}},
            {"context": {"survey": None, "more": 1}},
            {"description": ...},
            {"description": None, "isActive": ..., "__v": ...},
            {"_id": SUBSCRIPTION["_id"].upper()},
            {"unknown": {"b": [1.50, None]}, "name": "<b>Órdenes</b>"},
        ],
    )
    def test_a_document_is_written_as_it_was_read(self, fields):
        data = subscription(**fields)
        assert json.loads(write_subscription(stored(data))) == json.loads(data)

    def test_a_code_and_a_trigger_of_their_own_kind_are_kept(self):
        read = read_subscription(subscription(code="WO-Update ñ", trigger="create-edit-delete-form"))
        assert (read.code, read.trigger) == ("WO-Update ñ", "create-edit-delete-form")

    def test_a_url_is_trimmed(self):
        data = subscription(url=" https://www.server.com\n")
        assert read_subscription(data).url == "https://www.server.com"
        assert json.loads(write_subscription(stored(data))) == json.loads(data)

    def test_a_field_changed_here_replaces_the_original(self):
        changed = stored(subscription(more=1))
        changed.url, changed.is_active, changed.context_group = "https://other", False, ID
        expected = SUBSCRIPTION | {"url": "https://other", "isActive": False, "more": 1}
        expected["context"] = SUBSCRIPTION["context"] | {"group": ID}
        assert json.loads(write_subscription(changed)) == expected

    def test_a_subscription_created_here_is_written_completely(self):
        ours = stored(subscription())
        ours.document = None
        assert json.loads(write_subscription(ours)) == {
            key: value for key, value in SUBSCRIPTION.items() if key != "__v"
        }

    def test_extended_json_is_read(self):
        data = subscription(
            _id={"$oid": SUBSCRIPTION["_id"]}, company={"$oid": SUBSCRIPTION["company"]}, __v={"$numberInt": "0"}
        )
        assert json.loads(write_subscription(stored(data))) == SUBSCRIPTION


def test_a_moment_is_written_as_cotalker_does():
    assert format_timestamp(datetime.fromisoformat("2022-05-05T16:04:40.084999-04:00")) == "2022-05-05T20:04:40.084Z"
