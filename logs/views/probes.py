"""Endpoints for machines: liveness, readiness and metrics. They have no session and return no personal data."""

from __future__ import annotations

import hmac
from functools import cache

import psycopg
from django.conf import settings
from django.contrib.auth.decorators import login_not_required
from django.db.migrations.loader import MigrationLoader
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from ..models.worker import OFFLINE_AFTER
from ..monitoring.connection import probe_connection
from ..monitoring.metrics import DatabaseCollector


@require_safe
@login_not_required
@never_cache
def healthz(request: HttpRequest) -> HttpResponse:
    """Liveness: the process responds. It doesn't query the database, since a restart of this process wouldn't repair that."""
    return HttpResponse("ok", content_type="text/plain")


@require_safe
@login_not_required
@never_cache
def readyz(request: HttpRequest) -> HttpResponse:
    """Readiness: 503 if pages can't be shown. A missing worker is reported, but pages work without one."""
    checks: dict[str, object] = {"database": "not reachable", "migrations": "unknown", "workers": None}
    is_ready = False
    try:
        with probe_connection() as connection:
            checks["database"] = "ok"
            is_ready = _has_all_migrations(connection)
            checks["migrations"] = "ok" if is_ready else "not applied"
            checks["workers"] = _workers(connection) if is_ready else None
    except psycopg.Error:
        is_ready = False
    return JsonResponse({"ready": is_ready, **checks}, status=200 if is_ready else 503)


@require_safe
@login_not_required
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """Metrics for Prometheus, protected by the setting METRICS_TOKEN; 404 if it isn't set."""
    if not settings.METRICS_TOKEN:
        raise Http404
    given = request.headers.get("Authorization", "").encode()
    if not hmac.compare_digest(given, f"Bearer {settings.METRICS_TOKEN}".encode()):
        return HttpResponse(status=401, headers={"WWW-Authenticate": "Bearer"})
    try:
        with probe_connection() as connection:
            return HttpResponse(generate_latest(DatabaseCollector(connection)), content_type=CONTENT_TYPE_PLAIN_0_0_4)
    except psycopg.Error:
        return HttpResponse("the database does not answer", status=503, content_type="text/plain")


def _has_all_migrations(connection: psycopg.Connection) -> bool:
    applied = connection.execute("SELECT app, name FROM django_migrations").fetchall()
    return _known_migrations() <= set(applied)


@cache
def _known_migrations() -> frozenset[tuple[str, str]]:
    return frozenset(MigrationLoader(None).graph.nodes)


def _workers(connection: psycopg.Connection) -> dict[str, object]:
    """Return how many workers are alive, seconds since one was last seen, and which of their background loops fail.

    Also for how many seconds one of them has been unable to save outcomes.
    """
    query = """
        SELECT count(*) FILTER (WHERE is_alive), round(min(age), 1)::float8,
            coalesce(array_agg(problems ORDER BY id) FILTER (WHERE is_alive AND problems <> ''), '{}'),
            round(extract(epoch FROM now() - min(stuck_since) FILTER (WHERE is_alive)), 1)::float8
        FROM (
            SELECT id, problems, stuck_since, extract(epoch FROM now() - seen_at) AS age, seen_at > now() - %s AS is_alive
            FROM logs_worker
        ) worker
    """
    number, seen, problems, stuck = connection.execute(query, [OFFLINE_AFTER]).fetchone() or (0, None, [], None)
    return {"number": number, "last_seen_seconds": seen, "problems": problems, "cannot_record_seconds": stuck}
