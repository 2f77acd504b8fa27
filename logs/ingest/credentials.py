"""The secrets that let events in: created, shown once, found by their hash, revoked. Each change has an audit entry."""

from __future__ import annotations

from collections.abc import Collection
from datetime import timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from ..models import ApiToken, AuditAction, AuditEntry, Company, InboundEndpoint
from ..signing import generate_token, hash_token

TOKEN_PREFIX = "cot_"  # noqa: S105  so that a token is recognised as one where it has got to
_HINT = 4
# One statement, because it runs for every event.
_WITH_COMPANIES = """
SELECT token.*, ARRAY(SELECT company_id FROM logs_apitoken_companies WHERE apitoken_id = token.id) AS company_ids
FROM logs_apitoken token WHERE secret_hash = %s AND revoked_at IS NULL
"""
_RECORD_USE_EVERY = timedelta(minutes=1)


def create_endpoint(endpoint: InboundEndpoint, *, by) -> str:
    """Store a new inbound endpoint. Returns its secret, which can't be recovered later."""
    secret = generate_token()
    with transaction.atomic():
        _store(endpoint, secret, by)
        AuditEntry.record(by, AuditAction.ENDPOINT_CREATED, endpoint.company_id, endpoint.name)
    return secret


def create_api_token(token: ApiToken, companies: Collection[Company], *, by) -> str:
    """Store a new token for these companies. Returns its text, which can't be recovered later."""
    text = TOKEN_PREFIX + generate_token()
    with transaction.atomic():
        _store(token, text, by)
        token.companies.set(companies)
        for company in companies:
            AuditEntry.record(by, AuditAction.TOKEN_CREATED, company.pk, token.name)
    return text


def revoke_credential(access: InboundEndpoint | ApiToken, *, by) -> bool:
    """Accept nothing through it any more. Returns False if it was already revoked."""
    with transaction.atomic():
        stored = type(access)._base_manager.filter(pk=access.pk, revoked_at=None)
        if not stored.update(revoked_at=Now()):
            return False
        if isinstance(access, InboundEndpoint):
            AuditEntry.record(by, AuditAction.ENDPOINT_REVOKED, access.company_id, access.name)
        else:
            for company in access.companies.all():
                AuditEntry.record(by, AuditAction.TOKEN_REVOKED, company.pk, access.name)
    return True


def find_endpoint(secret: str) -> InboundEndpoint | None:
    """The inbound endpoint with this secret; None if there is none, or it is revoked."""
    endpoint = InboundEndpoint.objects.filter(secret_hash=hash_token(secret), revoked_at=None).first()
    if endpoint:
        _record_use(endpoint)
    return endpoint


def find_token(text: str) -> tuple[ApiToken, list[str]] | None:
    """The token with this text, and the ids of its companies; None if there is none, or it is revoked."""
    for token in ApiToken.objects.raw(_WITH_COMPANIES, [hash_token(text)]):
        _record_use(token)
        return token, token.company_ids  # type: ignore[attr-defined]  # of the statement
    return None


def _store(access: InboundEndpoint | ApiToken, secret: str, by) -> None:
    access.secret_hash, access.hint, access.created_by = hash_token(secret), secret[-_HINT:], by
    access.save()


def _record_use(access: InboundEndpoint | ApiToken) -> None:
    """Updates the time of last use, at most once a minute. If every event wrote this row, all would wait for it."""
    before = timezone.now() - _RECORD_USE_EVERY
    if access.last_used_at is None or access.last_used_at < before:
        is_outdated = Q(last_used_at=None) | Q(last_used_at__lt=before)
        type(access)._base_manager.filter(is_outdated, pk=access.pk).update(last_used_at=Now())
