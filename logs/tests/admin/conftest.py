"""Fixtures of the tests of the admin site."""

from __future__ import annotations

import pytest

from logs.models import Attempt, AuditAction, AuditEntry, Company, Import

from ..bulk_redeliveries import start_redelivery
from ..factories import make_company, make_log, make_subscription


@pytest.fixture
def staff(client, member):
    """`staff("Operator")`: signs in a user with that role who may enter the admin site."""

    def enter(role: str, company: Company | None = None):
        user = member(role, company)
        user.is_staff = True
        user.save()
        client.force_login(user)
        return user

    return enter


@pytest.fixture
def one_of_each(db, member):
    """A row of every model, all of the sample's company."""
    make_subscription()
    log = make_log()
    Attempt.of_cotalker(log).save()
    user = member("Operator")
    AuditEntry.record(user, AuditAction.REDELIVERED, log.pk)
    upload = Import.objects.create(kind="logs", file_name="mine.json", size=1, uploaded_by=user)
    bulk = start_redelivery(user, [log])
    AuditEntry.objects.exclude(action=AuditAction.REDELIVERED).delete()
    return {
        "company": make_company(),
        "subscription": log.subscription,
        "webhooklog": log,
        "attempt": log.attempts.get(),
        "auditentry": AuditEntry.objects.get(action=AuditAction.REDELIVERED),
        "import": upload,
        "bulkredelivery": bulk,
        "bulkredeliveryitem": bulk.items.get(),
    }
