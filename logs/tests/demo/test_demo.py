"""The demo: complete, clearly labelled, and removed without a trace."""

import asyncio
import json
from datetime import timedelta

import aiohttp
import pytest
from aiohttp.test_utils import TestClient, TestServer
from django.core.management import call_command
from django.urls import reverse
from django.utils import timezone

from logs.demo import documents, loading
from logs.demo.receiver import DemoReceiver
from logs.models import Company, Payload, State, Subscription, WebhookLog

from ..factories import make_company, make_log, make_subscription

RECEIVER = "http://127.0.0.1:8001"


@pytest.fixture
def demo(db):
    return loading.load(RECEIVER)


def test_the_demo_has_two_weeks_of_logs_with_varied_objects_and_causes(demo):
    assert (demo.new, demo.rejected) == (2000, 0)
    logs = WebhookLog.objects.all()
    assert logs.filter(created_at__gte=timezone.now() - timedelta(days=15)).count() == 2000
    assert Subscription.objects.filter(is_active=True, url__startswith=RECEIVER).count() == 6
    assert set(logs.values_list("event_type", flat=True)) == set(
        ["COTTask", "COTUser", "COTSurvey", "COTProperty", "COTNote", "Auth"]
    )
    causes = set(logs.failed().values_list("cause", flat=True))
    assert causes >= {"timeout", "tls", "dns", "reset", "http_4xx", "http_5xx"}
    assert logs.exclude(object_name="").values("object_id").distinct().count() > 50


def test_the_outage_has_far_more_failures_than_other_times(demo):
    night = WebhookLog.objects.filter(created_at__gte=timezone.now() - timedelta(hours=10), event_type="COTTask")
    assert night.failed().count() > night.delivered().count()
    everything = WebhookLog.objects.all()
    assert everything.delivered().count() > 3 * everything.failed().count()


def test_the_demo_is_labelled_on_every_page_and_its_button_removes_only_it(client, admin_user, demo):
    make_subscription(company=make_company())
    mine = make_log()
    client.force_login(admin_user)
    page = client.get(reverse("logs:webhook_log_list")).content.decode()
    assert "Demo data." in page
    assert documents.COMPANY_NAME.startswith("Demo")
    assert client.get(reverse("logs:demo_delete")).status_code == 405
    page = client.post(reverse("logs:demo_delete"), follow=True).content.decode()
    assert "The demo data was removed, including 2000 logs." in page
    assert "Demo data." not in page
    assert list(WebhookLog.objects.values_list("pk", flat=True)) == [mine.pk]
    assert list(Payload.objects.values_list("pk", flat=True)) == [mine.pk]
    assert not Company.objects.filter(pk=documents.COMPANY_ID).exists()


def test_the_command_removes_the_demo_or_says_that_there_is_none(demo, capsys):
    call_command("remove_demo")
    assert "Removed the demo with 2000 logs." in capsys.readouterr().out
    assert not WebhookLog.objects.exists()
    call_command("remove_demo")
    assert "There is no demo." in capsys.readouterr().out


def test_loading_it_twice_loads_it_once(demo, capsys):
    call_command("load_demo")
    assert "The demo is already loaded." in capsys.readouterr().out
    assert WebhookLog.objects.count() == 2000


def test_people_of_other_companies_neither_see_nor_remove_the_demo(client, member, demo):
    client.force_login(member("Administrator"))
    assert "Demo data." not in client.get(reverse("logs:overview")).content.decode()
    assert client.post(reverse("logs:demo_delete")).status_code == 403
    assert WebhookLog.objects.filter(state=State.FAILED).exists()


def test_the_subscriptions_follow_the_receiver_to_another_port(demo):
    loading.point_at("http://127.0.0.1:9999")
    assert Subscription.objects.filter(url__startswith="http://127.0.0.1:9999/").count() == 6


def test_the_receiver_accepts_and_shows_events_and_fails_on_request():
    async def talk() -> None:
        receiver = DemoReceiver()
        async with TestClient(TestServer(receiver.application())) as client:
            answer = await client.post("/wo_update", data=json.dumps({"a": 1}), headers={"webhook-id": "<b>id</b>"})
            assert answer.status == 200
            assert (await client.post("/answer", data={"answer": "500"})).status == 200  # after its redirect
            assert (await client.post("/wo_update", data="{}")).status == 500
            assert (await client.post("/answer", data={"answer": "nonsense"})).status == 400
            page = await (await client.get("/")).text()
            assert "&lt;b&gt;id&lt;/b&gt;" in page
            assert "Answer 500: server error" in page
            await client.post("/answer", data={"answer": "close"})
            with pytest.raises(aiohttp.ClientError):
                await client.post("/wo_update", data="{}")

    asyncio.run(talk())
