"""Valid JSON with characters that no text can hold: accepted, sent exactly, and shown with a replacement character."""

import json
import re
from html import unescape

import pytest
from django.core.management import call_command

from logs.ingest import rejections
from logs.models import Payload, ShareLink, WebhookLog

from ..events import make_endpoint, post
from ..factories import COMPANY, ids_found, import_logs, make_company, make_log, make_subscription

ID = "62742b7562f37034d9399914"
NUL, HALF = r"Bomba \u0000 P-204", r"Turno noche \ud83d"
INSIDE = r'"{\"password\":\"x\",\"a\":\"\\u0000\\ud83d\"}"'
DATA = rf'{{"_id": "{ID}", "name": "{NUL}", "k\u0000ey\ud83d": "{HALF}", "json": {INSIDE}}}'
DIFF = rf'{{"/name\u0000": {{"previous": "\ude00", "changedTo": "{NUL}"}}}}'
ODD = (
    f'{{"company": "{COMPANY}", "type": "COTTask", "extraData": null, "createdAt": 1778414400000, "event": "edit", '
    f'"data": {DATA}, "diff": {DIFF}}}'
)


def shown(response) -> str:
    assert response.status_code == 200
    return unescape(response.content.decode())


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    ("before", "text", "after"),
    [
        (b"", ODD, b""),
        (b"", ODD.replace(NUL, "Bomba"), b""),
        (b"", ODD.replace(HALF, "Turno"), b""),
        (b"\xef\xbb\xbf", ODD, b""),
        (b" \r\n\xef\xbb\xbf\t", ODD, b"\n \n"),
    ],
)
def test_the_event_is_sent_exactly_without_surrounding_whitespace(client, receiver, deliver, before, text, after):
    make_subscription(url=receiver.url)
    answer = post(client, make_endpoint(), before + text.encode() + after)
    assert (answer.status_code, answer.json()["errors"]) == (202, [])
    deliver()
    assert [request.body for request in receiver.requests] == [text.encode()]


@pytest.mark.django_db
class TestPages:
    @pytest.fixture
    def log(self, client, admin_user) -> WebhookLog:
        client.force_login(admin_user)
        make_subscription()
        make_log(1, event={"data": {"_id": ID, "name": "Bomba"}})
        return make_log(2, event=json.loads(ODD))

    def test_every_page_of_the_log_shows_a_replacement_character(self, client, log):
        page = shown(client.get(log.get_absolute_url()))
        assert "Bomba ␀ P-204" in page
        assert "Turno noche �" in page
        assert "k␀ey�" in page
        assert "Bomba ␀ P-204" in shown(client.get(f"{log.get_absolute_url()}changes/"))
        assert NUL in shown(client.get(f"{log.get_absolute_url()}payload/raw/"))
        assert "Turno noche �" in shown(client.get(f"{log.get_absolute_url()}payload/?pointer=/data"))
        assert shown(client.get(f"{log.get_absolute_url()}payload/value/?pointer=/data/name")) == "Bomba ␀ P-204"
        assert "�" in shown(client.get(f"{log.get_absolute_url()}payload/value/?pointer=/data/k␀ey�"))
        assert NUL in shown(client.get(f"{log.get_absolute_url()}curl/"))
        assert "Bomba ␀ P-204" in shown(client.get(f"{log.get_absolute_url()}?find=p-204"))
        assert "Bomba ␀ P-204" in shown(client.get(f"/objects/{ID}/"))
        assert "Bomba ␀ P-204" in shown(client.get(f"{log.get_absolute_url()}compare/{WebhookLog.objects.first().pk}/"))
        assert "Bomba ␀ P-204" in shown(client.get("/logs/?q=turno"))
        assert shown(client.get(f"/admin/logs/webhooklog/{log.pk}/change/"))

    def test_the_download_and_the_share_link_have_the_exact_event(self, client, log, admin_user):
        assert NUL in client.get(f"{log.get_absolute_url()}payload.json").content.decode()
        token = ShareLink.create_link(log, by=admin_user, days=1, includes_payload=True)
        assert NUL in shown(client.get(f"/shared/{token}/"))
        assert NUL in client.get(f"/shared/{token}/payload.json").content.decode()

    def test_its_other_words_can_be_searched(self, log):
        for words in ("noche", "p-204", '"bomba p-204"', "data.name:p-204", "turno -zzz", '"turno noche"'):
            assert ids_found(words) == [log.pk], words
        assert ids_found("noche -turno") == []

    def test_the_editor_keeps_the_exact_event(self, client, log):
        page = shown(
            client.post(
                f"{log.get_absolute_url()}overrides/new/", {"action": "edit", "expected_attempts": 3, "reason": "x"}
            )
        )
        typed = re.search(r"<textarea[^>]*>\s*(\{.*?\n\})\s*</textarea>", page, re.DOTALL)[1]
        assert f'"name": "{NUL}"' in typed
        assert HALF in typed
        answer = client.post(
            f"{log.get_absolute_url()}overrides/new/",
            {"action": "send", "expected_attempts": 3, "reason": "x", "event": typed.replace("P-204", "P-205")},
        )
        assert answer.status_code == 302
        assert "P-205" in log.overrides.get().event
        assert HALF in log.overrides.get().event

    def test_an_export_is_imported_again_unchanged(self, log, capsys):
        call_command("export_logs", "--unmasked")
        lines = capsys.readouterr().out.splitlines()
        assert any(NUL in line and HALF in line for line in lines)
        summary = import_logs(*map(json.loads, lines))
        assert (summary.unchanged, summary.rejected) == (2, 0)

    def test_odd_unknown_fields_and_responses_are_kept_and_compared(self, log):
        odd = json.loads(rf'{{"response": "a\u0000b {HALF}", "more\ud83d": ["\u0000"], "list": ["\ud83d\ude00"]}}')
        document = json.loads(json.dumps({**json.loads(_exported(log)), **odd}))
        assert import_logs(document).updated == 1
        assert import_logs(document).unchanged == 1
        log.refresh_from_db()
        assert log.response == "a␀b Turno noche �"
        assert json.loads(_exported(log))["response"] == odd["response"]

    def test_events_that_differ_only_in_such_an_escape_are_different(self, log):
        document = json.loads(_exported(log).replace(NUL, NUL.replace(r"\u0000", r"\ud83d")))
        assert import_logs(document).rejected == 1
        assert NUL in Payload.objects.get(pk=log.pk).event


def _exported(log) -> str:
    from logs.cotalker.documents import write_log

    return write_log(log, Payload.objects.get(pk=log.pk).event)


@pytest.mark.django_db
class TestRejected:
    """Rejected events are counted on the page of the inbound endpoint, and can be viewed for a week."""

    @pytest.fixture
    def endpoint(self):
        return make_endpoint()

    @pytest.mark.parametrize(
        ("body", "status", "reason", "explanation"),
        [
            (b'{"a": NaN}', 422, "Not JSON", "NaN is not JSON"),
            (b"", 422, "Not JSON", "not JSON"),
            (b'{"type": "COTTask"}', 422, "JSON, but not a Cotalker event", "/event: missing"),
            (
                ODD.replace(COMPANY, "6" * 24).encode(),
                422,
                "Event of another company",
                "/company: the inbound endpoint is for",
            ),
            (b"{" + b" " * 1024 * 1024, 413, "Too large", "the event is larger than 1 MiB"),
        ],
    )
    def test_a_rejected_event_is_counted_by_reason_and_kept(
        self, client, administrator, endpoint, body, status, reason, explanation
    ):
        assert [post(client, endpoint, body).status_code for _time in range(2)] == [status, status]
        page = shown(client.get("/inbound-endpoints/"))
        [row] = re.findall(rf"<tr>(?:(?!</tr>).)*{reason}.*?</tr>", page, re.DOTALL)
        assert ">2<" in row
        assert "<time" in row
        [address] = re.findall(r'href="(/inbound-endpoints/\d+/rejected/)"', row)
        assert shown(client.get(address)).count(explanation) == 2

    def test_a_rejected_event_is_masked_and_only_its_beginning_is_kept(self, client, administrator, endpoint):
        body = b'{"name": "Bomba", "password": "hunter2", "inside": "{\\"token\\": \\"hunter3\\"}", ' + b" " * 70_000
        post(client, endpoint, body)
        page = shown(client.get(f"/inbound-endpoints/{_endpoint().pk}/rejected/"))
        text = shown(
            client.get(f"/inbound-endpoints/{_endpoint().pk}/rejected/{_endpoint().rejected_events.get().pk}/")
        )
        for seen in (page, text):
            assert "Bomba" in seen
            assert "hunter" not in seen
        kept = _endpoint().rejected_events.get()
        assert (len(kept.data), kept.size, len(text.rstrip()) < 200) == (64 * 1024, len(body), True)

    def test_the_last_twenty_of_each_reason_are_kept_and_all_are_counted(self, client, administrator, endpoint):
        for number in range(25):
            post(client, endpoint, b"%d" % number)
        post(client, endpoint, b"{}")
        assert ">25<" in shown(client.get("/inbound-endpoints/"))
        kept = _endpoint().rejected_events.filter(kind="not_json")
        assert [bytes(data) for data in kept.values_list("data", flat=True)] == [b"%d" % n for n in range(24, 4, -1)]
        assert _endpoint().rejected_events.count() == 21

    def test_rejected_events_are_deleted_after_a_week(self, client, administrator, endpoint):
        from datetime import timedelta

        from django.utils import timezone

        post(client, endpoint, b"1")
        post(client, endpoint, b"2")
        old = _endpoint().rejected_events.last()
        _endpoint().rejected_events.filter(pk=old.pk).update(at=timezone.now() - timedelta(days=8))
        rejections.purge_rejected()
        assert [bytes(data) for data in _endpoint().rejected_events.values_list("data", flat=True)] == [b"2"]

    def test_an_accepted_event_is_not_kept_as_rejected(self, client, administrator, endpoint):
        assert post(client, endpoint, ODD.encode()).status_code == 202
        assert not _endpoint().rejected_events.exists()
        assert "Rejected events" in shown(client.get("/inbound-endpoints/"))

    def test_only_administrators_of_the_company_see_rejected_events(self, client, member, endpoint):
        post(client, endpoint, b"{}")
        pk, event = _endpoint().pk, _endpoint().rejected_events.get().pk
        for user, status in (
            (member("Operator"), 403),
            (member("Administrator", make_company("625be93a286ef83c1c0e0000")), 404),
        ):
            client.force_login(user)
            assert client.get(f"/inbound-endpoints/{pk}/rejected/").status_code == status
            assert client.get(f"/inbound-endpoints/{pk}/rejected/{event}/").status_code == status


def _endpoint():
    from logs.models import InboundEndpoint

    return InboundEndpoint.objects.get()
