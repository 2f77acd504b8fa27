"""The import pages: upload, progress, and what was refused."""

import gzip
import html
import json
import re
from datetime import timedelta
from io import BytesIO

import pytest
from django.urls import reverse
from django.utils import timezone

from logs.ingest import uploads
from logs.models import Import, ImportChunk, ImportState, Subscription, WebhookLog

from .factories import COMPANY, SAMPLES, log_document, make_company, make_subscription

pytestmark = pytest.mark.django_db
LIST = reverse("logs:import_list")
HTMX = {"hx-request": "true"}


@pytest.fixture(autouse=True)
def administrator(client, member):
    user = member("Administrator")
    client.force_login(user)
    return user


def upload(client, data: bytes, kind: str = "logs", name: str = "logs.json"):
    file = BytesIO(data)
    file.name = name
    return client.post(LIST, {"kind": kind, "file": file})


def run_last() -> Import:
    found = Import.objects.latest("pk")
    uploads.run(found.pk)
    found.refresh_from_db()
    return found


def text_of(response) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", response.content.decode())).split())


def test_subscriptions_and_logs_are_uploaded_and_counted(client):
    assert "Nothing uploaded yet" in text_of(client.get(LIST))
    response = upload(client, (SAMPLES / "webhook_subscription.json").read_bytes(), "subscriptions")
    found = run_last()
    assert response.status_code == 302
    assert response["Location"] == found.get_absolute_url()
    assert (found.state, found.read, found.new) == (ImportState.DONE, 1, 1)
    assert Subscription.objects.get().code == "wo_update"
    upload(client, (SAMPLES / "webhook_log_task_create_failed.json").read_bytes())
    found = run_last()
    page = text_of(client.get(found.get_absolute_url()))
    assert "1 document read: 1 new, 0 unchanged, 0 updated, 0 refused." in page
    assert "1 log names another company than its subscription" in page
    assert WebhookLog.objects.get().state == "failed"
    assert ImportChunk.objects.count() == 0


def test_a_gzipped_file_of_many_lines_is_read_and_read_again_without_change(client):
    make_subscription()
    data = gzip.compress("\n".join(json.dumps(log_document(number)) for number in range(30)).encode())
    upload(client, data, name="logs.ndjson.gz")
    assert run_last().new == 30
    upload(client, data, name="logs.ndjson.gz")
    again = run_last()
    assert (again.new, again.unchanged) == (0, 30)
    names = re.findall(r"data-row-link>([^<]+)<", client.get(LIST).content.decode())
    assert names == ["logs.ndjson.gz", "logs.ndjson.gz"]


def test_what_is_refused_is_listed_with_its_place_and_can_be_downloaded(client):
    make_subscription()
    secret = "hunter2hunter2"
    bad = json.dumps(log_document(1) | {"status": "<b>x</b>", "password": secret})
    upload(client, f"{json.dumps(log_document(0))}\n{bad}\n{{broken\n{json.dumps(log_document(2))}".encode())
    found = run_last()
    assert (found.read, found.new, found.refused) == (4, 2, 2)
    page = client.get(found.get_absolute_url())
    assert re.search(r"2 2 /status: not a whole number", text_of(page))
    assert "3 3 not JSON" in text_of(page)
    assert secret not in page.content.decode()
    assert "<b>x</b>" not in page.content.decode()
    download = client.get(reverse("logs:import_refused", args=[found.pk]))
    assert b"".join(download.streaming_content).decode() == f"{bad}\n{{broken\n"


def test_a_file_that_breaks_off_says_so_and_keeps_what_was_read(client):
    make_subscription()
    whole = gzip.compress("\n".join(json.dumps(log_document(number)) for number in range(50)).encode())
    upload(client, whole[:-200])
    found = run_last()
    assert found.state == ImportState.BROKEN
    assert "could not be read to its end: the gzip data breaks off" in text_of(client.get(found.get_absolute_url()))
    assert WebhookLog.objects.count() == found.new


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"kind": "logs"}, "Choose a file."),
        ({"kind": "logs", "file": b""}, "This file is empty."),
        ({"kind": "nonsense", "file": b"[]"}, "nonsense is not one of the available choices"),
    ],
)
def test_a_wrong_upload_is_refused_with_the_reason(client, fields, message):
    if "file" in fields:
        fields["file"] = BytesIO(fields["file"])
        fields["file"].name = "x.json"
    response = client.post(LIST, fields)
    assert response.status_code == 422
    assert message in text_of(response)
    assert Import.objects.count() == 0


def test_a_file_above_the_limit_is_refused(client, settings):
    settings.UPLOAD_LIMIT = 10
    response = upload(client, b"[" + b" " * 20 + b"]")
    assert response.status_code == 422
    assert "at most 10" in text_of(response)


def test_the_page_asks_for_itself_until_the_import_has_ended(client):
    upload(client, b"[]")
    found = Import.objects.get()
    waiting = client.get(found.get_absolute_url(), headers=HTMX).content.decode()
    assert 'hx-trigger="every 1s"' in waiting
    assert "<html" not in waiting
    run_last()
    assert "hx-trigger" not in client.get(found.get_absolute_url(), headers=HTMX).content.decode()


def test_an_import_that_nobody_begins_asks_for_a_worker(client):
    upload(client, b"[]")
    Import.objects.update(uploaded_at=timezone.now() - timedelta(minutes=1))
    assert "No worker has begun yet." in text_of(client.get(Import.objects.get().get_absolute_url()))


def test_an_operator_uploads_logs_of_their_companies_only(client, member):
    make_subscription(company=make_company("625be93a286ef83c1c0e0000", "Other"))
    client.force_login(member("Operator", make_company(COMPANY)))
    upload(client, json.dumps(log_document()).encode())
    found = run_last()
    assert (found.new, found.refused) == (0, 1)
    assert "you do not belong to company 625be93a286ef83c1c0e0000" in text_of(client.get(found.get_absolute_url()))


def test_an_operator_may_not_upload_subscriptions(client, member):
    client.force_login(member("Operator"))
    assert upload(client, b"[]", "subscriptions").status_code == 403
    assert Import.objects.count() == 0


def test_another_persons_import_is_not_there(client, member):
    upload(client, b"[]")
    found = Import.objects.get()
    client.force_login(member("Operator"))
    assert client.get(found.get_absolute_url()).status_code == 404
    assert client.get(reverse("logs:import_refused", args=[found.pk])).status_code == 404


@pytest.mark.parametrize("query", ["before=x", "colour=red"])
def test_an_unknown_parameter_is_an_error(client, query):
    assert client.get(f"{LIST}?{query}").status_code == 422


def test_an_interrupted_import_begins_again_and_ends_with_everything(client, administrator):
    make_subscription()
    upload(client, "\n".join(json.dumps(log_document(number)) for number in range(5)).encode())
    found = Import.objects.get()
    with pytest.raises(uploads.Interrupted):
        uploads.run(found.pk, should_stop=lambda: True)
    assert run_last().state == ImportState.DONE
    assert WebhookLog.objects.count() == 5
