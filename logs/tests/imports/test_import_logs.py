import gzip
import io
import json
import re

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from logs.cotalker.documents import write_log
from logs.imports import importer as importing
from logs.imports.importer import Importer, ImportSummary
from logs.models import Attempt, AttemptTrigger, Company, Payload, Priority, State, Subscription, WebhookLog
from logs.payloads.masking import masked_keys

from ..factories import (
    COMPANY,
    SAMPLES,
    SUBSCRIPTION,
    ids_found,
    log_document,
    make_company,
    make_log,
    make_subscription,
    sample,
)

pytestmark = pytest.mark.django_db
SAMPLE = sample("webhook_log_task_create_failed")
SAMPLE_FILE = SAMPLES / "webhook_log_task_create_failed.json"
ITS_COMPANY = SAMPLE["company"]
FOREIGN = "625bc5429a54e8868bd89be2"
TEXT = st.text(st.characters(exclude_characters="\x00•", exclude_categories=["Cs"]), max_size=30)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)


def imported(*documents, user=None) -> tuple[ImportSummary, list[str]]:
    """The summary of an import, and its rejections as a person reads them. A document is an object or the text of one."""
    rejections: list[str] = []
    importer = Importer(masked_keys(), user, on_rejection=lambda rejection: rejections.append(str(rejection)))
    lines = [document if isinstance(document, str) else json.dumps(document) for document in documents]
    return importer.import_logs(["\n".join(lines).encode()]), rejections


def the_log(pk: str = SAMPLE["_id"]) -> WebhookLog:
    return WebhookLog.objects.get(pk=pk)


def document(pk: str = SAMPLE["_id"]) -> dict:
    log = the_log(pk)
    return json.loads(write_log(log, log.payload.event))


def everything() -> list:
    """All rows as they are, to compare before and after."""
    models = (Company, Subscription, WebhookLog, Payload)
    return [sorted(map(repr, model.objects.values_list())) for model in models]


class TestStored:
    def test_the_sample_is_stored_as_finished_and_never_queued(self):
        assert imported(SAMPLE)[0] == ImportSummary(read=1, new=1)
        log = the_log()
        assert (log.state, log.next_attempt_at, log.sequence) == (State.FAILED, None, None)
        assert (log.status, log.attempt_count, log.cause) == (409, 3, "timeout")
        assert log.fingerprint == "connect ETIMEDOUT {ip}:443"
        assert (log.event_type, log.action, log.object_id) == ("COTTask", "create", "62742b7562f37034d9399914")
        assert log.object_name == "Equipment sector 1 - Equipment 1-A"
        assert document() == SAMPLE

    @pytest.mark.parametrize(
        ("status", "state"),
        [
            *((status, "delivered") for status in (200, 201, 209)),
            *((status, "failed") for status in (None, 0, 199, 210, 226, 302, 404, 500)),
        ],
    )
    def test_only_200_to_209_is_success(self, status, state):
        log = make_log(status=status, response="ok")
        assert (log.state, log.next_attempt_at) == (state, None)
        assert bool(log.cause) == bool(log.fingerprint) == (state == "failed")

    def test_an_event_keeps_its_bytes(self):
        event = '{"type":"COTTask" , "event":"edit",  "data":{"z":1.10,"a":1e2,"u":"\\u00e9é\\/","z2":[ -0 ]}}'
        text = json.dumps(SAMPLE | {"event": "EVENT"}).replace('"EVENT"', event)
        assert imported(text)[0].new == 1
        assert Payload.objects.get().event == event

    def test_a_pretty_printed_event_keeps_its_line_breaks(self):
        Importer(masked_keys()).import_logs([SAMPLE_FILE.read_bytes()])
        assert Payload.objects.get().event in SAMPLE_FILE.read_text()
        assert document() == SAMPLE

    @pytest.mark.parametrize(
        "fields",
        [
            {"status": None, "retry": None, "response": None},
            {"__v": None, "more": {"a": [None, 1.5]}, "": ""},
            {"createdAt": "2022-05-05T20:04:40.084123+00:00"},
            {"_id": SAMPLE["_id"].upper(), "company": ITS_COMPANY.upper()},
            {"response": "tab\t line\n backslash \\ \\N \\. é 😀 \u2028"},
        ],
    )
    def test_a_document_is_written_as_it_was_read(self, fields):
        assert imported(SAMPLE | fields)[0].new == 1
        assert document() == SAMPLE | fields
        assert imported(SAMPLE | fields)[0] == ImportSummary(read=1, unchanged=1)

    def test_missing_fields_stay_missing(self):
        short = {key: SAMPLE[key] for key in ("_id", "company", "subscription", "createdAt", "event")}
        assert imported(short)[0].new == 1
        assert document() == short

    @settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(st.dictionaries(TEXT, JSON, max_size=4), st.dictionaries(TEXT, JSON, max_size=2))
    def test_open_ended_data_comes_out_equal(self, data, unknown):
        WebhookLog.objects.all().delete()
        changed = unknown | SAMPLE | {"event": SAMPLE["event"] | {"data": data}}
        assert imported(changed)[0].new == 1
        assert document() == changed
        assert imported(json.dumps(changed, indent=1, ensure_ascii=False))[0].unchanged == 1

    def test_html_is_kept_as_it_is(self):
        html = "<script>alert('x')</script>"
        changed = SAMPLE | {"response": html, "event": SAMPLE["event"] | {"data": {html: html, "name": html}}, html: 1}
        imported(changed)
        assert document() == changed

    def test_the_batch_size_does_not_matter(self, monkeypatch):
        monkeypatch.setattr(importing, "BATCH_SIZE", 2)
        documents = [log_document(number) for number in range(5)]
        assert imported(*documents, documents[4], documents[0])[0] == ImportSummary(
            read=7, new=5, unchanged=2, company_differs=0
        )
        assert WebhookLog.objects.count() == Payload.objects.count() == 5

    def test_a_repeated_id_in_a_file_is_stored_once_with_the_last_outcome(self):
        assert imported(SAMPLE, SAMPLE | {"status": 200})[0] == ImportSummary(read=2, new=1, updated=1)
        assert (the_log().status, the_log().state) == (200, State.DELIVERED)

    def test_more_words_than_postgresql_accepts_do_not_stop_an_import(self):
        words = [f"{number:05d}" + chr(0x10330) * 59 for number in range(6000)]
        assert imported(SAMPLE | {"event": SAMPLE["event"] | {"data": {"words": words}}})[0].new == 1


class TestAgain:
    def test_importing_again_changes_nothing(self):
        imported(SAMPLE)
        before = everything()
        assert imported(SAMPLE)[0] == ImportSummary(read=1, unchanged=1)
        assert everything() == before

    @pytest.mark.parametrize(
        "fields", [{"status": 200, "response": "ok"}, {"retry": 4}, {"response": "x"}, {"__v": 1}, {"company": FOREIGN}]
    )
    def test_changes_at_cotalker_are_updated(self, fields):
        imported(SAMPLE)
        assert imported(SAMPLE | fields)[0].updated == 1
        assert document() == SAMPLE | fields
        assert imported(SAMPLE | fields)[0].unchanged == 1

    def test_state_cause_and_words_follow_the_new_outcome(self):
        imported(SAMPLE)
        imported(SAMPLE | {"status": 200, "response": "received"})
        log = the_log()
        assert (log.state, log.cause, log.fingerprint) == (State.DELIVERED, "", "")
        assert ids_found("received") == [log.pk]
        assert ids_found("ETIMEDOUT") == []

    def test_a_log_attempted_here_is_not_updated(self):
        imported(SAMPLE)
        Attempt.objects.create(
            log=the_log(), number=4, trigger=AttemptTrigger.MANUAL, started_at=timezone.now(), status=200
        )
        WebhookLog.objects.update(sequence=1, status=200, attempt_count=4, state=State.DELIVERED, response="ours")
        before = everything()
        assert imported(SAMPLE | {"status": 500})[0] == ImportSummary(read=1, unchanged=1)
        assert everything() == before

    def test_a_queued_log_is_not_updated(self):
        imported(SAMPLE)
        queued = {"priority": Priority.REDELIVERY, "sequence": 1, "attempts_left": 3}
        WebhookLog.objects.update(next_attempt_at=timezone.now(), state=State.PENDING, **queued)
        before = everything()
        assert imported(SAMPLE | {"status": 500})[0] == ImportSummary(read=1, unchanged=1)
        assert everything() == before

    def test_another_batch_in_the_same_transaction_does_not_update_it(self):
        imported(SAMPLE)
        WebhookLog.objects.update(status=500)
        assert imported(log_document(1))[0] == ImportSummary(read=1, new=1)
        assert the_log().status == 500

    def test_another_event_under_the_same_id_is_rejected(self):
        imported(SAMPLE)
        before = everything()
        other = SAMPLE | {"status": 200, "event": SAMPLE["event"] | {"event": "edit"}}
        summary, rejections = imported(other)
        assert summary == ImportSummary(read=1, rejected=1)
        assert rejections == ["document 1, line 1: /event: differs from the event that is stored for this log"]
        assert everything() == before

    @pytest.mark.parametrize("indent", [None, 0, 4])
    def test_the_same_event_in_another_notation_is_the_same(self, indent):
        imported(SAMPLE)
        before = everything()
        event = dict(reversed(SAMPLE["event"].items()))
        assert imported(json.dumps(SAMPLE | {"event": event}, indent=indent))[0] == ImportSummary(read=1, unchanged=1)
        assert everything() == before

    @pytest.mark.parametrize("number", ["1e-300", "0.1e-5", "1e308", "0E+2", "-0.0", "9" * 308])
    def test_odd_numbers_can_be_compared(self, number):
        text = json.dumps(SAMPLE | {"event": SAMPLE["event"] | {"data": "DATA"}}).replace(
            '"DATA"', f'{{"n": {number}}}'
        )
        imported(text)
        assert imported(text.replace('{"n": ', '{"n":  '))[0] == ImportSummary(read=1, unchanged=1)


class TestSubscription:
    def test_an_unknown_subscription_becomes_a_placeholder(self):
        imported(SAMPLE)
        placeholder = Subscription.objects.get()
        assert (placeholder.pk, placeholder.company_id, placeholder.is_placeholder) == (SUBSCRIPTION, ITS_COMPANY, True)
        assert (placeholder.is_active, placeholder.url, placeholder.trigger, placeholder.code) == (False, "", "", "")

    def test_a_company_other_than_the_subscriptions_is_counted(self):
        make_subscription()
        assert imported(SAMPLE)[0] == ImportSummary(read=1, new=1, company_differs=1)
        assert imported(SAMPLE)[0] == ImportSummary(read=1, unchanged=1, company_differs=1)
        assert the_log().company == ITS_COMPANY != the_log().subscription.company_id

    def test_url_activation_and_secret_are_not_changed(self):
        subscription = make_subscription(secret="whsec_" + "QUJD" * 8)
        before = Subscription.objects.values().get()
        imported(SAMPLE)
        assert Subscription.objects.values().get() == before
        assert subscription.logs.get() == the_log()


class TestRejected:
    def test_a_bad_document_is_rejected_with_its_place_and_the_rest_is_imported(self):
        summary, rejections = imported(
            log_document(1),
            log_document(2, status=99999),
            json.dumps(log_document(3), indent=2).replace('"retry": 3,', '"retry": 3'),
            '{"_id": "62742dd8',
            log_document(4),
        )
        assert summary == ImportSummary(read=5, new=2, rejected=3)
        assert rejections[0] == "document 2, line 2: /status: not a whole number from 0 to 999"
        assert rejections[1] == "document 3, line 3: not JSON: Expecting ',' delimiter (line 9, column 3)"
        assert rejections[2].startswith("document 4, line ")
        assert WebhookLog.objects.count() == 2

    def test_the_place_of_a_missing_comma_is_given(self):
        text = json.dumps(SAMPLE, indent=2)[:-2] + '\n"more": 1\n}'
        rejections = imported(log_document(1), text, log_document(2))[1]
        last = text.count("\n") + 1
        assert re.fullmatch(
            rf"document 2, line 2: not JSON: .* \(line ({last}|{last - 1}), column \d+\)", rejections[0]
        )

    @pytest.mark.parametrize(
        ("data", "reason"),
        [
            (b'{"a": "\x00"}', "Invalid control character"),
            (b'{"a": "\xff"}', "not UTF-8 at byte 7"),
            (b'{"a": NaN}', "NaN is not JSON"),
            (b"{" * 200_000, "nested deeper|not closed"),
            (b'{"a":' * 101 + b"1" + b"}" * 101, "nested deeper than 100 levels"),
            (b"[" * 100_000 + b"]" * 100_000, "nested deeper than 100 levels"),
        ],
    )
    def test_hostile_text_is_rejected(self, data, reason):
        reasons = []
        importer = Importer(masked_keys(), on_rejection=lambda rejection: reasons.append(rejection.reason))
        summary = importer.import_logs([data + b"\n" + json.dumps(SAMPLE).encode()])
        assert re.search(reason, reasons[0])
        assert (summary.new, summary.rejected) == (1, len(reasons))


class TestReach:
    def test_a_subscription_of_the_users_company_accepts_logs(self, user):
        make_subscription()
        assert imported(SAMPLE, user=user)[0] == ImportSummary(read=1, new=1, company_differs=1)

    def test_an_unknown_subscription_of_the_users_company_accepts_logs(self, user):
        assert imported(SAMPLE | {"company": COMPANY}, user=user)[0] == ImportSummary(read=1, new=1)

    def test_a_foreign_subscription_is_rejected(self, user):
        make_subscription(company=make_company(FOREIGN))
        before = everything()
        summary, rejections = imported(SAMPLE | {"company": COMPANY}, user=user)
        assert summary == ImportSummary(read=1, rejected=1)
        assert rejections[0].startswith("document 1, line 1: /subscription: you do not belong to this company")
        assert everything() == before

    def test_a_foreign_company_is_rejected(self, user):
        before = everything()
        summary, rejections = imported(SAMPLE, user=user)
        assert summary == ImportSummary(read=1, rejected=1)
        assert rejections == ["document 1, line 1: /company: you do not belong to this company"]
        assert everything() == before

    def test_the_id_of_a_foreign_log_is_rejected(self, user):
        foreign = "6" * 24
        make_subscription(company=make_company(FOREIGN), pk=foreign)
        make_subscription()
        imported(SAMPLE | {"subscription": foreign})
        before = everything()
        summary, rejections = imported(SAMPLE | {"status": 200}, log_document(1), user=user)
        assert (summary.new, summary.updated, summary.rejected) == (1, 0, 1)
        assert rejections == ["document 1, line 1: /_id: a log with this id belongs to a company that is not yours"]
        WebhookLog.objects.exclude(pk=SAMPLE["_id"]).delete()
        assert everything() == before

    def test_a_superuser_can_import_for_every_company(self, admin_user):
        assert imported(SAMPLE, user=admin_user)[0] == ImportSummary(read=1, new=1)


class TestSearch:
    @pytest.fixture(autouse=True)
    def log(self):
        data = {
            "name": "Bomba Ñuñoa Río",
            "password": "hunter22",
            "nested": [{"accessToken": "sesame99", "n": 4711}],
            "link": "https://www.cotalker.com/tasks/62742b7562f37034d9390001/edit",
        }
        return make_log(event={"data": data})

    @pytest.mark.parametrize(
        "query",
        [
            "bomba",
            "BOMBA",
            "nunoa",
            "Ñuñoa",
            "rio bomba",
            "4711",
            "62742b7562f37034d9390001",
            "ETIMEDOUT",
            "67.225.146.248",
            "bom",
            SUBSCRIPTION,
            SUBSCRIPTION.upper(),
        ],
    )
    def test_a_word_finds_the_log(self, log, query):
        make_log(1, subscription="6" * 24, response="ok", event={"data": {"name": "Compresor"}})
        assert ids_found(query) == [log.pk]

    @pytest.mark.parametrize(
        "query", ["hunter22", "sesame99", "bomba hunter22", "password", "xbomba", "bomba compresor"]
    )
    def test_masked_values_and_missing_words_find_nothing(self, query):
        assert ids_found(query) == []

    def test_the_id_of_the_log_finds_it(self, log):
        assert ids_found(log.pk) == [log.pk]


class TestCommand:
    @pytest.fixture
    def run(self, capsys):
        """Run the command; its exit status, standard output and lines of standard error."""

        def run(*arguments) -> tuple[int, str, list[str]]:
            try:
                call_command("import_logs", *map(str, arguments))
                status = 0
            except SystemExit as stop:
                status = stop.code
            captured = capsys.readouterr()
            return status, captured.out, captured.err.splitlines()

        return run

    def test_the_command_imports_the_sample(self, run):
        assert run(SAMPLE_FILE) == (0, "read 1, new 1, unchanged 0, updated 0, rejected 0\n", [])
        assert run(SAMPLE_FILE) == (0, "read 1, new 0, unchanged 1, updated 0, rejected 0\n", [])

    def test_a_different_company_is_reported(self, run):
        make_subscription()
        status, out, _err = run(SAMPLE_FILE)
        assert (status, out.splitlines()[1:]) == (
            0,
            ["1 have a different company than their subscription; their pages show it"],
        )

    def test_rejected_documents_can_be_corrected_and_imported(self, run, tmp_path):
        bad = json.dumps(log_document(2), indent=3, ensure_ascii=False).replace('"retry": 3', '"retry": -3').encode()
        file, rejected = tmp_path / "logs.json", tmp_path / "rejected.json"
        file.write_bytes(b"[" + json.dumps(log_document(1)).encode() + b",\n" + bad + b",\n" + b'{"_id": "\xff"}]')
        status, out, err = run(file, "--rejected", rejected)
        assert (status, out) == (1, "read 3, new 1, unchanged 0, updated 0, rejected 2\n")
        last = 3 + bad.count(b"\n")
        assert err == [
            f"{file}: document 2, line 2: /retry: not a whole number from 0 to 2147483647",
            f"{file}: document 3, line {last}: not UTF-8 at byte 9",
        ]
        assert rejected.read_bytes() == bad + b"\n" + b'{"_id": "\xff"}' + b"\n"
        rejected.write_bytes(rejected.read_bytes().replace(b"-3", b"3"))
        assert run(rejected)[1] == "read 2, new 1, unchanged 0, updated 0, rejected 1\n"

    def test_an_input_file_is_not_overwritten_with_rejected_documents(self, run, tmp_path):
        file = tmp_path / "logs.json"
        file.write_text("{}")
        with pytest.raises(CommandError, match="this is an input file"):
            run(file, "--rejected", file)
        assert file.read_text() == "{}"

    def test_rejected_documents_need_a_writable_file(self, run, tmp_path):
        with pytest.raises(CommandError, match="No such file or directory"):
            run(SAMPLE_FILE, "--rejected", tmp_path / "missing" / "rejected.json")
        assert not WebhookLog.objects.exists()

    def test_a_missing_file_does_not_stop_the_others(self, run, tmp_path):
        missing = tmp_path / "missing.json"
        status, out, err = run(missing, SAMPLE_FILE, tmp_path)
        assert (status, out) == (1, "read 1, new 1, unchanged 0, updated 0, rejected 0\n")
        assert err == [f"{missing}: No such file or directory", f"{tmp_path}: Is a directory"]

    def test_a_truncated_gzip_file_is_an_error_and_its_readable_part_is_kept(self, run, tmp_path):
        file = tmp_path / "logs.json.gz"
        lines = "".join(json.dumps(log_document(number)) + "\n" for number in range(3))
        file.write_bytes(gzip.compress(lines.encode())[:-8])
        status, out, err = run(file)
        assert (status, out) == (1, "read 3, new 3, unchanged 0, updated 0, rejected 0\n")
        assert err == [f"{file}: the gzip data ends early; the file is incomplete"]

    def test_a_zip_file_is_an_error(self, run, tmp_path):
        file = tmp_path / "logs.zip"
        file.write_bytes(b"PK\x03\x04 and so on")
        status, _out, err = run(file)
        assert (status, err) == (1, [f"{file}: this is a ZIP file; unpack it, or compress with gzip"])

    def test_a_dash_is_standard_input(self, run, monkeypatch):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(SAMPLE_FILE.read_bytes())))
        assert run("-") == (0, "read 1, new 1, unchanged 0, updated 0, rejected 0\n", [])


@pytest.mark.parametrize("is_ascii", [True, False])
def test_a_masked_export_is_rejected_and_the_stored_logs_stay(is_ascii):
    log = make_log(response='{"token":"abcdef"}')
    masked = log_document(response='{"token":"••••••••"}')
    summary, [rejection] = imported(json.dumps(masked, ensure_ascii=is_ascii))
    assert (summary.rejected, summary.updated) == (1, 0)
    assert "export it with --unmasked" in rejection
    log.refresh_from_db()
    assert log.response == '{"token":"abcdef"}'


def _api(milliseconds: str = ".100Z") -> dict:
    event = SAMPLE["event"] | {"createdAt": f"2026-05-10T11:59:00{milliseconds}", "company": COMPANY}
    event["data"] = {
        "_id": "62742b7562f37034d9399914",
        "modifiedAt": "2026-05-10T11:58:07.120Z",
        "startDate": "2026-05-10T11:00:00.500Z",
        "closedAt": "0001-01-01T00:00:00.000Z",
        "weight": 1.5,
        "estimatedTime": 5,
    }
    event["extraData"] = {"userId": "611421cd644dce40703f02e5", "timestamp": 1630947233455}
    return SAMPLE | {"createdAt": "2026-05-10T12:00:00.340Z", "event": event}


_EXPORTED = {  # as mongoexport writes the same log, relaxed, canonical, and by version 1
    "relaxed": [
        ('"2026-05-10T12:00:00.340Z"', '{"$date": "2026-05-10T12:00:00.34Z"}'),
        ('"2026-05-10T11:59:00.100Z"', '{"$date": "2026-05-10T11:59:00.1Z"}'),
        ('"2026-05-10T11:58:07.120Z"', '{"$date": "2026-05-10T11:58:07.12Z"}'),
        ('"2026-05-10T11:00:00.500Z"', '{"$date": "2026-05-10T11:00:00.5Z"}'),
        ('"0001-01-01T00:00:00.000Z"', '{"$date": {"$numberLong": "-62135596800000"}}'),
        ('"status": 409', '"status": 409.0'),
        ('"estimatedTime": 5', '"estimatedTime": 5.0'),
        ("1630947233455", "1.630947233455E+12"),
    ],
    "canonical": [
        ('"2026-05-10T12:00:00.340Z"', '{"$date": {"$numberLong": "1778414400340"}}'),
        ('"2026-05-10T11:59:00.100Z"', '{"$date": {"$numberLong": "1778414340100"}}'),
        ('"status": 409', '"status": {"$numberDouble": "409.0"}'),
        ('"estimatedTime": 5', '"estimatedTime": {"$numberInt": "5"}'),
        ('"weight": 1.5', '"weight": {"$numberDouble": "1.5"}'),
        ("1630947233455", '{"$numberDouble": "1.630947233455E+12"}'),
    ],
    "version 1": [
        ('"2026-05-10T12:00:00.340Z"', '{"$date": "2026-05-10T08:00:00.340-0400"}'),
        ('"2026-05-10T11:59:00.100Z"', '{"$date": "2026-05-10T07:59:00.100-0400"}'),
    ],
}


@pytest.mark.parametrize("name", _EXPORTED)
@pytest.mark.parametrize("is_api_first", [True, False])
def test_documents_of_the_api_and_of_mongoexport_are_the_same(name, is_api_first):
    api = json.dumps(_api())
    exported = api.replace(f'"{SAMPLE["_id"]}"', f'{{"$oid": "{SAMPLE["_id"]}"}}')
    for plain, wrapped in _EXPORTED[name]:
        assert plain in exported
        exported = exported.replace(plain, wrapped)
    first, second = (api, exported) if is_api_first else (exported, api)
    imported(first)
    before = everything()
    assert Payload.objects.get().event == json.dumps(_api()["event"])
    assert imported(second)[0] == ImportSummary(read=1, unchanged=1)
    assert everything() == before


@pytest.mark.parametrize(
    "envelope",
    [
        '{"data": [DOCUMENTS]}',
        '{\n "data": {\n  "logs": [\n   DOCUMENTS\n  ],\n  "count": 2\n }\n}',
        '{"status": "ok", "count": 2, "data": {"count": 2, "webhookLogs": [DOCUMENTS], "page": {"of": [1]}}, "next": null}',
        '{"logs": [DOCUMENTS], "count": 2}\n{"data": []}',
    ],
)
def test_the_wrapper_of_an_api_response_is_removed(envelope):
    documents = ",\n   ".join(json.dumps(log_document(number)) for number in (1, 2))
    assert imported(envelope.replace("DOCUMENTS", documents))[0] == ImportSummary(read=2, new=2)


def test_documents_with_comments_and_trailing_commas_are_read_and_reported(capsys, tmp_path):
    file = tmp_path / "logs.json"
    text = json.dumps(SAMPLE, indent=4)
    text = text.replace('"COTTask",', '"COTTask",  // {a "task"').replace("\n}", ",  /* the end ] */\n}")
    file.write_text(f"{text}\n{json.dumps(log_document(1))}")
    call_command("import_logs", str(file))
    assert capsys.readouterr().out == (
        "read 2, new 2, unchanged 0, updated 0, rejected 0\n1 had comments or trailing commas, which were removed\n"
    )
    assert document() == SAMPLE
