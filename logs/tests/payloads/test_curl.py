"""The copied command, run by the real curl in a shell: the receiver gets the same bytes as from a delivery."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.urls import reverse

from logs.models import Payload, WebhookLog
from logs.payloads.masking import MASK

from ..delivery.request_urls import CREDENTIALS, TARGETS
from ..factories import make_log, make_subscription, make_waiting_log

EVENT = r"""{"a": 1e400, "text": "it's; $(x) `y` \"!!\" \\ %s \u0000 \ud800 é 😀", "a": [1,  2]}"""
LONG = '{"text": "%s"}' % ("ñ" * 60_000)
EVENTS = [
    EVENT,
    EVENT.replace(",", ",\n\n "),
    EVENT.replace(",", ",\r\n\t"),
    LONG,
    '{"text": "%s"}' % ("x" * 1_100_000),
]


@pytest.fixture
def shell(tmp_path):
    """Runs commands in a folder with the downloads, as a person does."""
    assert shutil.which("curl"), "the copied command is tested with curl: install it (CONTRIBUTING.md)"

    def run(command: str) -> None:
        subprocess.run(["sh", "-c", command], cwd=tmp_path, check=True, capture_output=True, env={"PATH": PATH})

    return run


PATH = "/usr/local/bin:/usr/bin:/bin"


def make_logs(urls_and_events: list[tuple[str, str]]) -> list[WebhookLog]:
    logs = []
    for number, (url, event) in enumerate(urls_and_events, start=1):
        log = make_waiting_log(make_subscription(f"62685990d918fb5557f9{number:04x}", url=url), number)
        Payload.objects.filter(pk=log.pk).update(event=event)
        logs.append(log)
    return logs


def command_for(client, log: WebhookLog) -> str:
    return client.get(reverse("logs:payload_curl", args=[log.pk])).content.decode()


def download(client, log: WebhookLog, folder: Path) -> None:
    response = client.get(reverse("logs:payload_download", args=[log.pk]))
    name = re.search(r'filename="([^"]+)"', response["Content-Disposition"])[1]
    (folder / name).write_bytes(response.content)


def by_log(requests: list[tuple[bytes, bytes]]) -> dict[bytes, list[tuple[bytes, bytes]]]:
    """The request for each log, except for the time."""
    by_id: dict[bytes, list[tuple[bytes, bytes]]] = {}
    for head, body in requests:
        log_id = re.search(rb"(?i)\r\nwebhook-id: (\w+)", head)[1]
        head, times = re.subn(rb"\r\nwebhook-timestamp: [0-9]{10}\r\n", b"\r\nwebhook-timestamp: x\r\n", head)
        assert times == 1
        by_id.setdefault(log_id, []).append((head, body))
    return by_id


def test_the_command_posts_what_a_delivery_sends(client, member, deliver, raw_server, shell, tmp_path):
    place = f"127.0.0.1:{raw_server.port}"
    cases = [(f"http://{place}{target}", EVENT) for target, _sent in TARGETS]
    cases += [(f"http://{userinfo}{place}/u", EVENT) for userinfo, _sent in CREDENTIALS]
    cases += [(f"http://{place}/hook", event) for event in EVENTS]
    logs = make_logs(cases)
    deliver()
    delivered = by_log(raw_server.requests)
    assert [len(requests) for requests in delivered.values()] == [1] * len(cases)
    raw_server.requests.clear()
    client.force_login(member("Administrator"))
    for log, (url, _event) in zip(logs, cases, strict=True):
        command = command_for(client, log)
        if MASK in command:  # a person puts the password there
            command = command.replace(MASK, re.search("//[^:/]*:(.*)@", url)[1])
        download(client, log, tmp_path)
        shell(command)
    assert by_log(raw_server.requests) == delivered


def test_the_command_leaves_secrets_to_the_user(client, member, deliver, raw_server, shell):
    subscription = make_subscription(url=f"http://ana:hush-1@127.0.0.1:{raw_server.port}/?token=hush-2&ok=%2F")
    subscription.headers = [("X-Tenant-Id", "hush-3"), ("Authorization", "Bearer hush-4")]
    subscription.secret = "whsec_" + "aHVzaC01" * 4
    subscription.save()
    log = make_waiting_log(subscription)
    deliver()
    client.force_login(member("Administrator"))
    command = command_for(client, log)
    assert "hush" not in command
    shell(command)
    [(sent, _body), (copied, _same)] = raw_server.requests
    names = [[line.split(b":")[0] for line in head.split(b"\r\n")[1:-2]] for head in (sent, copied)]
    assert names[0] == names[1]
    assert names[0].count(b"Authorization") == 1
    assert b"POST /?token=%s&ok=%%2F HTTP/1.1" % MASK.encode() in copied


@pytest.mark.django_db
def test_a_log_without_a_url_offers_no_curl(client, member):
    make_subscription(url="")
    log = make_log()
    client.force_login(member("Administrator"))
    curl = reverse("logs:payload_curl", args=[log.pk])
    page = client.get(log.get_absolute_url())
    assert (page.status_code, curl in page.content.decode()) == (200, False)
    response = client.get(curl)
    assert response.status_code == 404
    assert "no request to copy" in response.content.decode()
