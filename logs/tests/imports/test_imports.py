"""The import pages, with real files: uploading, progress and rejected documents."""

from __future__ import annotations

import gzip
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone
from procrastinate.contrib.django.models import ProcrastinateJob

from logs.background.jobs import JobInterrupted
from logs.forms.imports import ImportForm
from logs.imports import uploads
from logs.models import Import, ImportState, RejectedDocument, Subscription, WebhookLog

from ..factories import SAMPLES, log_document, make_company, make_subscription
from ..html import HTMX, text_of
from .upload_files import IMPORTS, file_of, lines, upload

pytestmark = pytest.mark.django_db


def make_import(user, **fields) -> Import:
    return Import.objects.create(**({"kind": "logs", "file_name": "a.json", "size": 1, "uploaded_by": user} | fields))


def test_the_published_log_is_imported_and_the_page_says_so(client, operator):
    make_subscription()
    imported = upload(client, (SAMPLES / "webhook_log_task_create_failed.json").read_bytes())
    page = client.get(imported.get_absolute_url())
    assert "1 document read: 1 new, 0 unchanged, 0 updated, 0 rejected." in text_of(page)
    assert WebhookLog.objects.get().pk == "62742dd824c886d54e60f02b"
    assert f'href="{reverse("logs:webhook_log_list")}"' in page.content.decode()


def test_an_upload_is_queued_for_a_worker_and_not_imported_by_the_request(client, operator):
    client.post(IMPORTS, {"kind": "logs", "file": file_of(lines(log_document()))})
    imported = Import.objects.get()
    assert (imported.state, WebhookLog.objects.count()) == (ImportState.WAITING, 0)
    assert [job.args for job in ProcrastinateJob.objects.all()] == [{"import_id": imported.pk}]


@pytest.mark.parametrize("pack", [lambda text: text, gzip.compress], ids=["plain", "gzip"])
def test_importing_the_same_file_again_changes_nothing(client, operator, pack):
    make_subscription()
    content = pack(lines(*(log_document(number) for number in range(3))))
    upload(client, content)
    page = client.get(upload(client, content).get_absolute_url())
    assert "3 documents read: 0 new, 3 unchanged, 0 updated, 0 rejected." in text_of(page)


def test_imported_logs_are_not_sent_automatically(client, operator):
    make_subscription()
    upload(client, lines(log_document()))
    assert WebhookLog.objects.get().next_attempt_at is None


def test_an_administrator_imports_subscriptions(client, administrator):
    imported = upload(client, (SAMPLES / "webhook_subscription.json").read_bytes(), kind="subscriptions")
    assert (imported.new, Subscription.objects.count()) == (1, 1)
    assert f'href="{reverse("logs:subscription_list")}"' in client.get(imported.get_absolute_url()).content.decode()


def test_an_operator_may_not_import_subscriptions(client, operator):
    answer = client.post(IMPORTS, {"kind": "subscriptions", "file": file_of(b"{}")})
    assert answer.status_code == 422
    assert "Your role can’t import subscriptions" in text_of(answer)
    assert not Import.objects.exists()


def test_a_viewer_may_neither_see_the_page_nor_upload(client, member):
    client.force_login(member("Viewer"))
    assert client.get(IMPORTS).status_code == 403
    assert client.post(IMPORTS, {"kind": "logs", "file": file_of(b"{}")}).status_code == 403


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"kind": "logs"}, "Choose a file."),
        ({"kind": "logs", "file": file_of(b"")}, "The file is empty."),
        ({"kind": "events", "file": file_of(b"{}")}, "Choose what the file contains: logs or subscriptions."),
        ({"file": file_of(b"{}")}, "Choose what the file contains: logs or subscriptions."),
        ({"kind": "logs", "file": file_of(b"x" * 2049)}, "The file is larger than the upload limit of 2.0 KB."),
    ],
    ids=["no file", "empty", "unknown kind", "no kind", "too large"],
)
def test_an_invalid_upload_is_rejected_with_the_reason(client, operator, settings, data, message):
    settings.MAX_UPLOAD_BYTES = 2048
    answer = client.post(IMPORTS, data)
    assert answer.status_code == 422
    assert f"Nothing was imported. {message}" in text_of(answer)
    assert not Import.objects.exists()


def test_a_file_of_exactly_the_limit_is_accepted(operator, settings):
    settings.MAX_UPLOAD_BYTES = 2048
    assert ImportForm({"kind": "logs"}, {"file": file_of(b"x" * 2048)}, user=operator).is_valid()


def test_the_form_works_without_javascript_and_needs_a_csrf_token(client, operator):
    page = client.get(IMPORTS).content.decode()
    assert 'enctype="multipart/form-data"' in page
    client.handler.enforce_csrf_checks = True
    assert client.post(IMPORTS, {"kind": "logs", "file": file_of(b"{}")}).status_code == 403


def test_the_list_is_empty_until_something_was_imported(client, operator):
    assert "No imports yet" in text_of(client.get(IMPORTS))


def test_the_list_shows_the_users_imports_newest_first_in_pages_of_50(client, operator, member):
    make_import(member("Operator"), file_name="foreign.json")
    ids = [make_import(operator).pk for _number in range(51)]
    first = client.get(IMPORTS)
    assert [row.pk for row in first.context["imports"]] == ids[:0:-1]
    assert f"?before={ids[1]}" in first.content.decode()
    rest = client.get(IMPORTS, {"before": ids[1]})
    assert [row.pk for row in rest.context["imports"]] == ids[:1]
    assert "Load 50 more" not in rest.content.decode()
    assert client.get(IMPORTS, {"before": ids[1]}, headers=HTMX).content.decode().lstrip().startswith("<tr>")


def test_a_superuser_sees_the_imports_of_all(client, operator, admin_client):
    imported = make_import(operator)
    assert str(operator) in text_of(admin_client.get(IMPORTS))
    assert admin_client.get(imported.get_absolute_url()).status_code == 200


@pytest.mark.parametrize(
    "query", ["?page=2", "?before=x", "?before=0", "?before=9223372036854775808", "?before=1&before=2"]
)
def test_a_wrong_url_shows_no_imports(client, operator, query):
    make_import(operator, file_name="mine.json")
    answer = client.get(IMPORTS + query)
    assert answer.status_code == 422
    assert "mine.json" not in answer.content.decode()
    assert "the URL is not valid" in text_of(answer)


@pytest.mark.parametrize("query", ["?page=2", "?after=x", "?after=-1", "?before=7"])
def test_a_wrong_url_shows_no_rejected_documents(client, operator, query):
    imported = upload(client, b'{"secret sauce": 1}')
    answer = client.get(imported.get_absolute_url() + query)
    assert answer.status_code == 422
    assert "secret sauce" not in answer.content.decode()


@pytest.mark.parametrize("name", ["import_detail", "import_rejected"])
def test_the_import_of_another_user_is_not_found(client, operator, member, name):
    imported = make_import(member("Operator"))
    assert client.get(reverse(f"logs:{name}", args=[imported.pk])).status_code == 404
    client.force_login(imported.uploaded_by)
    assert client.get(reverse(f"logs:{name}", args=[imported.pk])).status_code == 200


def test_a_running_import_shows_its_progress_and_polls(client, operator):
    imported = make_import(operator, state="running", size=4096, bytes_read=1024, read=1500, new=1400, rejected=7)
    answer = client.get(imported.get_absolute_url(), headers=HTMX)
    page = answer.content.decode()
    assert '<progress max="4096" value="1024"' in page
    assert 'hx-trigger="every 1s"' in page
    assert "data-poll" in page
    assert "1.0 KB of 4.0 KB read" in page
    assert "Documents read 1,500 New 1,400" in text_of(answer)
    assert "<html" not in page
    assert (answer["Cache-Control"], answer["Vary"].count("HX-Request")) == ("no-store", 1)


@pytest.mark.parametrize("state", ["done", "failed"])
def test_a_finished_import_no_longer_polls(client, operator, state):
    imported = make_import(operator, state=state, finished_at=timezone.now())
    page = client.get(imported.get_absolute_url(), headers=HTMX).content.decode()
    assert 'id="import-progress"' in page
    assert "hx-trigger" not in page


@pytest.mark.parametrize(("seconds", "is_shown"), [(5, False), (15, True)])
def test_a_long_wait_hints_that_no_worker_is_running(client, operator, seconds, is_shown):
    imported = make_import(operator)
    Import.objects.update(uploaded_at=timezone.now() - timedelta(seconds=seconds))
    assert ("No worker has picked it up yet." in text_of(client.get(imported.get_absolute_url()))) is is_shown


def test_a_truncated_file_is_reported_with_its_place(client, operator):
    make_subscription()
    imported = upload(client, gzip.compress(lines(log_document()) + b"\n")[:-12])
    page = text_of(client.get(imported.get_absolute_url()))
    assert imported.state == ImportState.FAILED
    assert "The file could not be read to the end. Reason: the gzip data ends early; the file is incomplete." in page


def test_logs_that_name_another_company_are_counted(client, operator):
    make_subscription(company=make_company())
    other = log_document(company="625be93a286ef83c1c0e0000")
    imported = upload(client, lines(other))
    assert imported.company_differs == 1
    assert "1 log names a different company" in text_of(client.get(imported.get_absolute_url()))


def test_rejected_documents_are_shown_with_their_place_reason_and_masked_beginning(client, operator):
    make_subscription()
    bad = {"password": "hunter2", "credentials": {"pin": "4711"}, "<b>": 1}
    imported = upload(client, lines(log_document()) + b"\n" + lines(bad))
    page = client.get(imported.get_absolute_url()).content.decode()
    [document] = RejectedDocument.objects.all()
    assert (document.number, document.line) == (2, 2)
    assert "2 documents read: 1 new, 0 unchanged, 0 updated, 1 rejected." in re.sub(r"\s+", " ", page)
    assert "&lt;b&gt;" in page
    assert "hunter2" not in page
    assert "4711" not in page


@pytest.mark.parametrize(
    "document",
    [
        b'{"password": "hunter2", "note": "' + b"x" * 20_000 + b'"}',
        b'{"token": "hunter2", "open": [',
        b'{"credentials": {"pin": "hunter2"}, "x": 01}',
    ],
    ids=["longer than what is read", "not closed", "not JSON"],
)
def test_secrets_stay_masked_in_rejected_documents_of_any_kind(client, operator, document):
    imported = upload(client, document)
    page = client.get(imported.get_absolute_url()).content.decode()
    assert imported.rejected == 1
    assert "•••" in page
    assert "hunter2" not in page


def test_no_more_than_200_characters_of_a_rejected_document_are_shown(client, operator):
    imported = upload(client, b'{"a": "' + b"x" * 500 + b'"}')
    [shown] = re.findall(r"<code>(.*?)</code>", client.get(imported.get_absolute_url()).content.decode())
    assert shown.replace("&quot;", '"') == '{"a": "' + "x" * 193 + "…"


def test_rejected_documents_come_in_pages_of_50(client, operator):
    imported = upload(client, b"\n".join(b'{"n": %d}' % number for number in range(51)))
    first = client.get(imported.get_absolute_url())
    assert [row.number for row in first.context["rejected"]] == list(range(1, 51))
    assert "?after=50" in first.content.decode()
    more = client.get(imported.get_absolute_url() + "?after=50", headers=HTMX | {"hx-target": "load-more"})
    assert [row.number for row in more.context["rejected"]] == [51]
    assert more.content.decode().lstrip().startswith("<tr>")
    assert "Load 50 more" not in more.content.decode()


def test_the_download_contains_the_rejected_documents_byte_for_byte(client, operator):
    bad = [b'{ "password":"hunter2",\n  "n" : 1 }', '{"ñ": 01}'.encode(), b'"text"']
    imported = upload(client, b"\n".join(bad), name='my "logs".json')
    answer = client.get(reverse("logs:import_rejected", args=[imported.pk]))
    assert b"".join(answer.streaming_content) == b"\n".join(bad) + b"\n"
    assert answer["Content-Type"] == "application/octet-stream"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Disposition"] == 'attachment; filename="my \\"logs\\".json.rejected.json"'


def test_a_downloaded_file_can_be_imported_again(client, operator):
    make_subscription()
    corrected = log_document()
    first = upload(client, lines({**corrected, "createdAt": "yesterday"}))
    content = b"".join(client.get(reverse("logs:import_rejected", args=[first.pk])).streaming_content)
    again = upload(client, content.replace(b"yesterday", corrected["createdAt"].encode()))
    assert (first.rejected, again.new, again.rejected) == (1, 1, 0)


# Limits


@pytest.mark.parametrize(
    "pack", [gzip.compress, lambda text: gzip.compress(gzip.compress(text))], ids=["once", "twice"]
)
def test_a_file_that_expands_over_the_limit_says_where_it_stopped(client, operator, settings, pack):
    make_subscription()
    settings.IMPORT_LIMIT = 1_100_000
    documents = lines(log_document(0), log_document(1)) + b"\n"
    imported = upload(client, pack(documents + b" " * 1_200_000 + lines(log_document(2))))
    assert (imported.state, imported.read, imported.new) == (ImportState.FAILED, 2, 2)
    assert (
        "Reason: it contains more than 1.0 MB, the limit for an import; the last document read was number 2, on line 2."
        in text_of(client.get(imported.get_absolute_url()))
    )


def test_rejected_documents_are_kept_up_to_a_number_and_counted_beyond_it(client, operator, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_KEPT_REJECTIONS", 3)
    imported = upload(client, b"1,2,3,4,5")
    page = text_of(client.get(imported.get_absolute_url()))
    assert (imported.read, imported.rejected, RejectedDocument.objects.count()) == (5, 5, 3)
    assert "Only the first 3 of the 5 rejected documents are kept." in page
    assert [row.number for row in client.get(imported.get_absolute_url()).context["rejected"]] == [1, 2, 3]


def test_rejected_documents_are_kept_up_to_a_number_of_bytes(client, operator, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_KEPT_REJECTION_BYTES", 10)
    imported = upload(client, b'"aaaa","bbbb","c"')
    assert (imported.rejected, [bytes(document.data) for document in RejectedDocument.objects.all()]) == (
        3,
        [b'"aaaa"', b'"c"'],
    )


def test_a_very_long_rejected_document_is_cut_and_excluded_from_the_download(client, operator, monkeypatch):
    monkeypatch.setattr(uploads, "MAX_KEPT_DOCUMENT_BYTES", 10)
    imported = upload(client, b'"0123456789"\n"short"')
    page = text_of(client.get(imported.get_absolute_url()))
    assert [(bytes(document.data), document.is_cut) for document in RejectedDocument.objects.all()] == [
        (b'"012345678', True),
        (b'"short"', False),
    ]
    assert "1 document is too long to be kept whole, so the download doesn’t include it." in page
    answer = client.get(reverse("logs:import_rejected", args=[imported.pk]))
    assert b"".join(answer.streaming_content) == b'"short"\n'


def test_little_of_a_document_over_the_limit_is_kept(client, operator, monkeypatch):
    monkeypatch.setattr("logs.cotalker.json_stream.DOCUMENT_LIMIT", 100_000)
    monkeypatch.setattr(uploads, "MAX_KEPT_FRAGMENT_BYTES", 1000)
    upload(client, gzip.compress(b"{" * 120_000))
    assert [(len(document.data), document.is_cut) for document in RejectedDocument.objects.all()] == [
        (1000, True),
        (20_000, False),
    ]


# Stopping, going on and cancelling


def stop_at(number: int):
    """A `should_stop` that returns true at the last of so many calls."""
    left = iter([False] * (number - 1))
    return lambda: next(left, True)


def waiting_import(client, content: bytes) -> Import:
    assert client.post(IMPORTS, {"kind": "logs", "file": file_of(content)}).status_code == 303
    return Import.objects.latest("pk")


def test_an_import_stops_within_a_document(client, operator):
    imported = waiting_import(client, gzip.compress(b"[" * 40_000_000))
    with pytest.raises(JobInterrupted):
        uploads.run_import(imported.pk, should_stop=stop_at(20))
    imported.refresh_from_db()
    assert (imported.state, imported.read) == (ImportState.RUNNING, 0)
    assert imported.file_chunks.exists()


def test_an_import_interrupted_anywhere_ends_with_the_right_numbers(client, operator, monkeypatch):
    make_subscription()
    monkeypatch.setattr("logs.imports.importer.BATCH_SIZE", 2)
    upload(client, lines(log_document(0), log_document(1, response="before")))
    documents = [
        log_document(0),
        log_document(1),
        log_document(2),
        log_document(2),
        {"bad": 1},
        log_document(3),
        {"bad": 2},
    ]
    for number in range(1, 100):
        WebhookLog.objects.exclude(pk__in=[documents[0]["_id"], documents[1]["_id"]]).delete()
        WebhookLog.objects.filter(pk=documents[1]["_id"]).update(response="before")
        imported = waiting_import(client, lines(*documents))
        try:
            uploads.run_import(imported.pk, should_stop=stop_at(number))
        except JobInterrupted:
            uploads.run_import(imported.pk)
        else:
            break
        imported.refresh_from_db()
        numbers = (imported.read, imported.new, imported.updated, imported.unchanged, imported.rejected)
        assert numbers == (7, 2, 1, 2, 2), number
        assert [document.number for document in imported.rejected_documents.all()] == [5, 7], number
    assert number > 5


def test_an_import_that_repeatedly_kills_its_worker_is_given_up(client, operator, monkeypatch):
    imported = waiting_import(client, lines(log_document()))

    def crash(*arguments, **options):
        raise SystemExit

    monkeypatch.setattr("logs.imports.importer.iter_documents", crash)
    for _time in range(uploads.MAX_FAILED_STARTS):
        with pytest.raises(SystemExit):
            uploads.run_import(imported.pk)
    uploads.run_import(imported.pk)
    imported.refresh_from_db()
    assert (imported.state, imported.error) == (
        ImportState.FAILED,
        "the worker stopped 5 times while reading the same documents",
    )


def cancel_address(imported: Import) -> str:
    return reverse("logs:import_cancel", args=[imported.pk])


def test_a_waiting_import_is_cancelled_at_once_and_stores_nothing(client, operator):
    make_subscription()
    imported = waiting_import(client, lines(log_document()))
    page = text_of(client.post(cancel_address(imported), follow=True))
    uploads.run_import(imported.pk)
    imported.refresh_from_db()
    assert (imported.state, imported.read, WebhookLog.objects.count()) == (ImportState.CANCELLED, 0, 0)
    assert "Cancelled" in page
    assert "This import was cancelled. Documents read before the cancellation are kept." in page
    assert not imported.file_chunks.exists()


def test_a_finished_import_cannot_be_cancelled(client, operator):
    make_subscription()
    imported = upload(client, lines(log_document()))
    assert cancel_address(imported) not in client.get(imported.get_absolute_url()).content.decode()
    assert "Nothing was cancelled: the import has finished." in text_of(
        client.post(cancel_address(imported), follow=True)
    )
    imported.refresh_from_db()
    assert imported.state == ImportState.DONE


def test_only_the_uploader_can_cancel_and_only_by_post(client, operator, member):
    imported = make_import(member("Operator"))
    assert client.get(cancel_address(imported)).status_code == 405
    assert client.post(cancel_address(imported)).status_code == 404
    client.force_login(member("Viewer"))
    assert client.post(cancel_address(imported)).status_code == 403
    client.force_login(imported.uploaded_by)
    client.handler.enforce_csrf_checks = True
    assert client.post(cancel_address(imported)).status_code == 403
    imported.refresh_from_db()
    assert imported.state == ImportState.WAITING
