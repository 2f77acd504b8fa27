"""Sharing a log: who creates a link, who sees and revokes it, what is audited, and when it expires."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.contrib.auth.models import Permission
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from logs.models import AuditAction, AuditEntry, Retention, ShareLink, WebhookLog
from logs.signing import hash_token

from ..factories import OTHER_COMPANY, make_company, make_log, make_subscription
from ..html import text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def log() -> WebhookLog:
    make_subscription()
    return make_log()


def address(log: WebhookLog) -> str:
    return f"{log.get_absolute_url()}share-links/"


def make_link(log: WebhookLog, by, **fields) -> str:
    """The path of a new link."""
    return f"/shared/{ShareLink.create_link(log, by=by, days=fields.pop('days', 7), **fields)}/"


def answer_to_stranger(path: str) -> int:
    return Client().get(path).status_code


def revoke(client, share_link: ShareLink, **options):
    return client.post(f"/share-links/{share_link.pk}/revoke/", **options)


class TestMaking:
    def test_the_link_is_shown_once_and_opens_the_log_without_an_account(self, client, operator, log):
        answer = client.post(address(log), {"days": 7}, follow=True)
        assert answer.redirect_chain == [(address(log), 302)]
        url = answer.content.decode().split('data-copy="')[1].split('"')[0]
        assert re.fullmatch(r"http://testserver/shared/[\w-]{43}/", url)
        assert answer_to_stranger(url) == 200
        for page in (address(log), log.get_absolute_url()):
            assert "/shared/" not in client.get(page).content.decode()

    def test_the_session_keeps_the_secret_encrypted_until_it_is_shown(self, client, operator, log):
        client.post(address(log), {"days": 7})
        kept = str(dict(client.session))
        assert "share_link_once" in kept
        assert "/shared/" not in kept
        client.get(address(log))
        assert "share_link_once" not in str(dict(client.session))

    def test_the_link_to_one_log_is_not_shown_beside_another(self, client, operator, log):
        other = make_log(1)
        client.post(address(log), {"days": 7})
        assert "/shared/" not in client.get(address(other)).content.decode()
        assert "/shared/" in client.get(address(log)).content.decode()

    def test_only_the_hash_of_its_token_is_stored(self, client, operator, log):
        answer = client.post(address(log), {"days": 7}, follow=True)
        token = re.search(r"/shared/([\w-]{43})/", answer.content.decode())[1]
        [row] = ShareLink.objects.values()
        assert row["token_hash"] == hash_token(token)
        assert token not in str(row)
        assert token not in str(list(AuditEntry.objects.values()))

    def test_the_page_with_the_link_is_not_cached(self, client, operator, log):
        assert "no-store" in client.post(address(log), {"days": 7}, follow=True)["Cache-Control"]

    @pytest.mark.parametrize("days", [1, 7, 30])
    def test_the_link_is_valid_for_the_chosen_time(self, client, operator, log, days):
        before = timezone.now()
        client.post(address(log), {"days": days, "note": "Please look"})
        share_link = ShareLink.objects.get()
        assert before <= share_link.expires_at - timedelta(days=days) <= timezone.now()
        assert (share_link.log, share_link.created_by) == (log, operator)
        assert (share_link.note, share_link.includes_payload) == ("Please look", False)

    def test_the_defaults_are_seven_days_and_no_payload(self, client, operator, log):
        page = client.get(address(log)).content.decode()
        assert re.search(r'name="days" value="7"[^>]* checked', page)
        assert re.search(r'name="includes_payload"(?![^>]* checked)', page)

    @pytest.mark.parametrize("wrong", [{}, {"days": "365"}, {"days": "x"}, {"days": 7, "note": "x" * 501}])
    def test_an_invalid_form_creates_no_link_and_names_the_mistake(self, client, operator, log, wrong):
        answer = client.post(address(log), wrong)
        assert answer.status_code == 422
        assert 'href="#id_' in answer.content.decode()
        assert not ShareLink.objects.exists()

    def test_a_user_who_may_not_see_payloads_cannot_share_one(self, client, django_user_model, log):
        user = django_user_model.objects.create_user("looker")
        names = ("view_webhooklog", "share_webhooklog")
        user.user_permissions.set(Permission.objects.filter(codename__in=names))
        make_company().users.add(user)
        client.force_login(user)
        assert "includes_payload" not in client.get(address(log)).content.decode()
        client.post(address(log), {"days": 7, "includes_payload": "on"})
        assert ShareLink.objects.get().includes_payload is False

    def test_a_viewer_can_neither_see_nor_create_links(self, client, member, operator, log):
        make_link(log, operator)
        client.force_login(member("Viewer"))
        assert client.get(address(log)).status_code == 403
        assert client.post(address(log), {"days": 7}).status_code == 403
        assert revoke(client, ShareLink.objects.get()).status_code == 403
        page = text_of(client.get(log.get_absolute_url()))
        assert "Share…" not in page
        assert "Share links" not in page
        assert ShareLink.objects.get().revoked_at is None

    def test_links_of_another_company_are_not_created_seen_or_revoked(self, client, member, operator, log):
        make_link(log, operator)
        client.force_login(member("Administrator", make_company(OTHER_COMPANY, "Other")))
        assert client.post(address(log), {"days": 7}).status_code == 404
        assert revoke(client, ShareLink.objects.get()).status_code == 404
        assert ShareLink.objects.get().revoked_at is None


class TestList:
    def test_the_page_of_the_log_shows_each_link(self, client, operator, log):
        paths = [make_link(log, operator, note=f"note {number}") for number in range(4)]
        answer_to_stranger(paths[0]), answer_to_stranger(paths[0])
        revoke(client, ShareLink.objects.get(note="note 2"))
        ShareLink.objects.filter(note="note 3").update(expires_at=timezone.now())
        for page in (log.get_absolute_url(), address(log)):
            items = re.findall(r'<li class="small">.*?</li>', client.get(page).content.decode(), re.S)
            items = [item for item in items if "note " in item][::-1]
            words = [re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", item)) for item in items]
            states = [re.search("Open|Revoked|Expired|Suspended", text)[0] for text in words]
            assert states == ["Open", "Open", "Revoked", "Expired"]
            assert ["/revoke/" in item for item in items] == [True, True, False, False]
            assert "2 views" in words[0]
            assert "Not viewed yet" in words[1]

    def test_many_links_need_as_many_queries_as_one(self, client, operator, log):
        def queries() -> int:
            with CaptureQueriesContext(connection) as captured:
                client.get(log.get_absolute_url())
            return len(captured)

        make_link(log, operator)
        for_one = queries()
        for _number in range(10):
            make_link(log, operator)
        assert queries() == for_one

    def test_a_note_is_escaped(self, client, operator, log):
        path = make_link(log, operator, note="<script>alert(1)</script>")
        for page in (client.get(address(log)), Client().get(path)):
            assert "<script>alert" not in page.content.decode()
            assert "&lt;script&gt;alert" in page.content.decode()

    def test_the_admin_site_shows_links_and_cannot_change_them(self, client, operator, log, django_user_model):
        make_link(log, operator)
        share_link = ShareLink.objects.get()
        client.force_login(django_user_model.objects.create_superuser("root"))
        page = client.get(f"/admin/logs/sharelink/{share_link.pk}/change/")
        assert page.status_code == 200
        assert share_link.token_hash not in page.content.decode()
        assert client.get("/admin/logs/sharelink/").status_code == 200
        assert client.get("/admin/logs/sharelink/add/").status_code == 403
        assert client.post(f"/admin/logs/sharelink/{share_link.pk}/delete/").status_code == 403


class TestEnd:
    def test_a_revoked_link_shows_nothing(self, client, operator, log):
        path = make_link(log, operator)
        answer = revoke(client, ShareLink.objects.get(), follow=True)
        assert answer.redirect_chain == [(log.get_absolute_url(), 302)]
        assert "It no longer shows anything." in text_of(answer)
        assert answer_to_stranger(path) == 404
        assert ShareLink.objects.get().revoked_by == operator

    def test_a_second_revocation_changes_nothing(self, client, operator, log):
        make_link(log, operator)
        for _time in range(2):
            answer = revoke(client, ShareLink.objects.get(), follow=True)
        assert "was already revoked" in text_of(answer)
        assert AuditEntry.objects.filter(action=AuditAction.SHARE_LINK_REVOKED).count() == 1

    def test_a_colleague_may_revoke_it(self, client, member, operator, log):
        path = make_link(log, operator)
        client.force_login(member("Operator"))
        revoke(client, ShareLink.objects.get())
        assert answer_to_stranger(path) == 404

    def test_only_a_post_revokes_a_link(self, client, operator, log):
        path = make_link(log, operator)
        assert client.get(f"/share-links/{ShareLink.objects.get().pk}/revoke/").status_code == 405
        assert answer_to_stranger(path) == 200

    def test_a_link_expires_by_itself(self, operator, log):
        path = make_link(log, operator)
        ShareLink.objects.update(expires_at=timezone.now() + timedelta(minutes=1))
        assert answer_to_stranger(path) == 200
        ShareLink.objects.update(expires_at=timezone.now())
        assert answer_to_stranger(path) == 404

    def test_creating_and_revoking_are_audited(self, client, operator, log):
        client.post(address(log), {"days": 7, "includes_payload": "on"})
        share_link = ShareLink.objects.get()
        revoke(client, share_link)
        entries = AuditEntry.objects.order_by("id").values_list("action", "target", "actor", "detail")
        until = f"{share_link.expires_at:%Y-%m-%d %H:%M} UTC"
        assert list(entries) == [
            (AuditAction.SHARE_LINK_CREATED, log.pk, operator.pk, f"#{share_link.pk} – {until}, payload"),
            (AuditAction.SHARE_LINK_REVOKED, log.pk, operator.pk, f"#{share_link.pk}"),
        ]

    def test_pruning_deletes_the_links_with_their_log(self, operator, log):
        path, kept = make_link(log, operator), make_log(1, createdAt=timezone.now().isoformat())
        make_link(kept, operator)
        Retention(pk=1, log_days=30).save()
        call_command("prune_logs", verbosity=0)
        assert list(WebhookLog.objects.all()) == [kept]
        assert [share_link.log_id for share_link in ShareLink.objects.all()] == [kept.pk]
        assert answer_to_stranger(path) == 404


class TestMaker:
    """A link shows what its creator may see now (docs/adr/0017-hand-off.md)."""

    @pytest.mark.parametrize("loss", ["account", "role", "company"])
    def test_a_link_stops_working_when_its_creator_may_no_longer_share(self, client, member, log, loss):
        maker, colleague = member("Operator"), member("Operator")
        path = make_link(log, maker)
        lost = {
            "account": lambda: type(maker).objects.filter(pk=maker.pk).update(is_active=False),
            "role": lambda: maker.groups.clear(),
            "company": lambda: make_company().users.remove(maker),
        }
        lost[loss]()
        assert answer_to_stranger(path) == 404
        client.force_login(colleague)
        assert "Suspended" in text_of(client.get(log.get_absolute_url()))

    def test_a_link_works_again_when_its_creator_may_share_again(self, member, log):
        maker = member("Operator")
        path = make_link(log, maker)
        make_company().users.remove(maker)
        assert answer_to_stranger(path) == 404
        make_company().users.add(maker)
        assert answer_to_stranger(path) == 200

    def test_the_link_of_a_deleted_account_stays_listed_and_shows_nothing(self, client, member, operator, log):
        maker = member("Operator")
        path = make_link(log, maker)
        maker.delete()
        assert answer_to_stranger(path) == 404
        assert "Created by a deleted user" in text_of(client.get(log.get_absolute_url()))

    def test_a_superuser_needs_no_company(self, django_user_model, log):
        assert answer_to_stranger(make_link(log, django_user_model.objects.create_superuser("root"))) == 200
