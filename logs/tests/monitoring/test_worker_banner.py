"""The Overview says when no worker delivers."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from logs.models import Worker

from ..factories import make_log

pytestmark = pytest.mark.django_db
NEVER = "<b>No worker is running.</b>"
START = "<code>python manage.py run_worker</code>"


@pytest.fixture
def overview(client, member):
    client.force_login(member("Viewer"))
    return lambda **headers: client.get("/", headers=headers).content.decode()


def worker_seen(seconds: int, name: str = "a") -> None:
    now = timezone.now()
    Worker.objects.create(id=name, started_at=now, seen_at=now - timedelta(seconds=seconds))


@pytest.mark.parametrize("with_logs", [False, True])
def test_without_a_worker_it_says_how_to_start_one(overview, with_logs):
    if with_logs:
        make_log()
    page = overview()
    assert NEVER in page
    assert START in page


@pytest.mark.parametrize(("seconds", "time"), [(40, "4"), (330, "5 min"), (3 * 86400, "3 d")])
def test_a_worker_not_seen_for_30_seconds_is_missing(overview, seconds, time):
    worker_seen(seconds)
    page = overview()
    assert f"<b>No worker has been seen for {time}" in page
    assert START in page
    assert NEVER not in page


@pytest.mark.parametrize("seconds", [0, 20])
def test_a_worker_seen_recently_shows_no_banner(overview, seconds):
    worker_seen(seconds)
    assert "No worker" not in overview()


def test_one_live_worker_is_enough(overview):
    worker_seen(3600, "gone")
    worker_seen(1, "here")
    assert "No worker" not in overview()


def test_the_banner_comes_and_goes_with_the_region(overview):
    region = {"hx-request": "true", "hx-target": "overview"}
    assert NEVER in overview(**region)
    worker_seen(0)
    page = overview(**region)
    assert "No worker" not in page
    assert page.lstrip().startswith('<div class="stack" id="overview"')


def test_it_costs_one_query(overview, django_assert_max_num_queries):
    worker_seen(60)
    with django_assert_max_num_queries(20) as captured:
        overview()
    assert len([query for query in captured.captured_queries if "logs_worker" in query["sql"]]) == 1
