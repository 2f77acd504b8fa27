import json
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from logs.models import AuditAction, AuditEntry, Payload, WebhookLog

from ..factories import SAMPLES, import_logs, log_document, make_log, sample

pytestmark = pytest.mark.django_db
SAMPLE = sample("webhook_log_task_create_failed")
EVENT = sample("event_user_edit")
MASK = "••••••••"


@pytest.fixture
def export(capsys):
    """Run the command; the documents that it wrote to standard output."""

    def run(*arguments: str) -> list[dict]:
        call_command("export_logs", *arguments)
        captured = capsys.readouterr()
        documents = [json.loads(line) for line in captured.out.splitlines()]
        assert captured.err == f"{len(documents)} logs written\n"
        return documents

    return run


def test_the_exported_sample_equals_the_original(export):
    call_command("import_logs", str(SAMPLES / "webhook_log_task_create_failed.json"), stdout=StringIO())
    assert export() == [SAMPLE]


def test_the_oldest_logs_come_first(export):
    documents = [log_document(number) for number in (2, 0, 1)]
    import_logs(*documents)
    assert export() == [documents[1], documents[2], documents[0]]


def test_an_import_of_an_export_changes_nothing(export, tmp_path):
    file = tmp_path / "logs.ndjson"
    odd = {"__v": None, "more": [1.5, {"a": "<b>"}], "createdAt": "2022-05-05T20:04:40.084123+00:00"}
    import_logs(log_document(1, status=None, response="é\n\u2028"), log_document(2, **odd))
    call_command("export_logs", "--output", str(file))
    summary = import_logs(*map(json.loads, file.read_text().split("\n")[:-1]))
    assert (summary.read, summary.unchanged) == (2, 2)
    WebhookLog.objects.all().delete()
    Payload.objects.all().delete()
    call_command("import_logs", str(file))
    again = tmp_path / "again.ndjson"
    call_command("export_logs", "-o", str(again))
    assert again.read_bytes() == file.read_bytes()


def test_the_export_takes_the_filters_of_the_explorer(export):
    import_logs(
        log_document(1), log_document(2, status=200, response="ok"), log_document(3, status=500, response="oops")
    )
    assert [document["status"] for document in export("state=failed")] == [409, 500]
    assert [document["status"] for document in export("?state=failed&status=5xx")] == [500]
    assert [document["status"] for document in export("q=oops")] == [500]
    assert [document["status"] for document in export(f"subscription={SAMPLE['subscription']}&result=SUCCESS")] == [200]
    assert export("since=2024-01-01") == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("colour=red", "colour: There is no such filter."),
        ("state=failed&stat=x", "stat: There is no such filter."),
        ("state=unknown", "State: "),
        ("since=tomorrow", "From: Write a time such as 08:00"),
        ("q=a&q=b", "Search: Only one value can be given."),
    ],
)
def test_a_wrong_filter_writes_nothing(query, message, tmp_path):
    make_log()
    file = tmp_path / "out"
    with pytest.raises(CommandError, match=message):
        call_command("export_logs", query, "--output", str(file))
    assert not file.exists()


class TestMasking:
    @pytest.fixture(autouse=True)
    def log(self):
        return make_log(event=EVENT)

    def test_masked_values_are_masked(self, export):
        [document] = export()
        assert document["event"]["data"]["password"] == MASK
        assert document["event"] == EVENT | {"data": EVENT["data"] | {"password": MASK}}
        assert not AuditEntry.objects.exists()

    def test_an_unmasked_export_writes_the_values_and_is_audited(self, export):
        [document] = export("--unmasked", "state=failed")
        assert document == log_document(event=EVENT)
        entry = AuditEntry.objects.get()
        assert (entry.action, entry.actor) == (AuditAction.EXPORTED_UNMASKED, None)
        assert entry.detail == "export_logs state=failed"

    def test_a_wrong_filter_leaves_no_audit_entry(self):
        with pytest.raises(CommandError):
            call_command("export_logs", "colour=red", "--unmasked")
        assert not AuditEntry.objects.exists()

    def test_an_unknown_field_and_the_response_are_masked_too(self, export):
        import_logs(log_document(1, apiToken="abc", response='{"token": "abc", "ok": 1}'))
        document = export()[1]
        assert document["apiToken"] == MASK
        assert json.loads(document["response"]) == {"token": MASK, "ok": 1}

    @pytest.mark.parametrize(
        ("response", "shown"),
        [
            ("token=hunter2&a=b", f"token={MASK}&a=b"),
            ("refused, password: hunter2", f"refused, password: {MASK}"),
            ("Authorization: Bearer hunter2.x", f"Authorization: Bearer {MASK}"),
            (None, None),
        ],
    )
    def test_a_response_in_plain_text_is_masked_too(self, export, response, shown):
        import_logs(log_document(1, response=response))
        assert export()[1]["response"] == shown
        assert "hunter2" not in json.dumps(export())


def test_a_log_whose_payload_has_expired_has_no_event(export):
    make_log()
    Payload.objects.all().delete()
    assert export() == [log_document() | {"event": None}]


def test_the_number_of_queries_does_not_grow_with_the_logs(export, django_assert_max_num_queries):
    import_logs(*(log_document(number) for number in range(30)))
    with django_assert_max_num_queries(6):
        assert len(export()) == 30


def test_a_file_that_cannot_be_written_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="No such file or directory"):
        call_command("export_logs", "--output", str(tmp_path / "missing" / "out"))
