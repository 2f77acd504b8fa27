"""manage.py send_event: the same acceptance, from the shell."""

import io
import json
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from logs.models import WebhookLog

from ..events import as_bytes, make_event, waiting_logs
from ..factories import make_company, make_subscription
from ..processes import PROJECT, environment


def send(path, *options: str) -> tuple[list[str], str, int]:
    """The words of standard output, standard error, and the exit status."""
    out, err, status = io.StringIO(), io.StringIO(), 0
    try:
        call_command("send_event", str(path), *options, stdout=out, stderr=err)
    except SystemExit as stopped:
        status = stopped.code
    return out.getvalue().split(), err.getvalue(), status


@pytest.fixture
def file(tmp_path):
    def write(data: bytes):
        path = tmp_path / "events.json"
        path.write_bytes(data)
        return path

    return write


@pytest.mark.django_db
@pytest.mark.parametrize(
    "text",
    [
        as_bytes(make_event(1), make_event(2)),
        json.dumps([make_event(1), make_event(2)], indent=2).encode(),
        b"\n".join(json.dumps(make_event(number), indent=2).encode() for number in (1, 2)),
        b"\xef\xbb\xbf" + as_bytes(make_event(1), make_event(2)),
    ],
    ids=["NDJSON", "array", "one after another", "byte order mark"],
)
def test_events_are_queued_and_their_ids_are_printed(file, text):
    subscription = make_subscription()
    printed, said, status = send(file(text))
    assert printed == [log.pk for log in waiting_logs(subscription)]
    assert [log.object_id[-1] for log in waiting_logs(subscription)] == ["1", "2"]
    assert (said, status) == ("", 0)


@pytest.mark.django_db
def test_a_repeated_event_is_reported_and_sent_again_on_demand(file):
    make_subscription()
    path = file(as_bytes(make_event()))
    first, _said, _status = send(path)
    assert send(path) == (first, "event 0: already accepted; use --again to send it anyway\n", 0)
    again, said, _status = send(path, "--again")
    assert (len(again), said) == (1, "")
    assert again != first
    assert WebhookLog.objects.count() == 2


@pytest.mark.django_db
def test_an_unmatched_event_is_reported(file):
    make_company()
    said = "event 0: matches no active subscription that cotadmin delivers\n"
    assert send(file(as_bytes(make_event()))) == ([], said, 0)


@pytest.mark.django_db
def test_rejected_events_are_reported_and_the_rest_are_sent(file):
    make_subscription()
    bad = [b"nonsense", as_bytes(make_event(company="625be93a286ef83c1c0e0000"))]
    printed, said, status = send(file(b"\n".join([bad[0], as_bytes(make_event()), bad[1]])))
    assert printed == [WebhookLog.objects.get().pk]
    assert said.splitlines() == ["event 0: not a JSON object", "event 2: /company: unknown company"]
    assert status == 1


@pytest.mark.django_db
def test_an_event_that_is_too_large_sends_nothing(file):
    make_subscription()
    large = make_event(1, extraData="x" * 1024 * 1024)
    with pytest.raises(CommandError, match="event 1: the event is larger than 1 MiB; nothing was sent"):
        send(file(as_bytes(make_event(), large)))
    assert not WebhookLog.objects.exists()


@pytest.mark.django_db
@pytest.mark.parametrize("text", [b"", b"[]", b" \n"])
def test_a_file_without_events_is_an_error(file, text):
    with pytest.raises(CommandError, match="no event found"):
        send(file(text))


@pytest.mark.django_db
def test_a_missing_file_is_an_error(tmp_path):
    with pytest.raises(CommandError, match="No such file or directory"):
        send(tmp_path / "nothing.json")


@pytest.mark.django_db(transaction=True)
def test_standard_input_is_read():
    make_subscription()
    done = subprocess.run(
        [sys.executable, "manage.py", "send_event", "-"],
        cwd=PROJECT,
        env=environment(),
        input=as_bytes(make_event()),
        capture_output=True,
        check=True,
    )
    assert done.stdout.decode().split() == [WebhookLog.objects.get().pk]
