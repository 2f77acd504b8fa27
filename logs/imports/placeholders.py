"""Placeholders keep the logs of a subscription that nobody has imported yet: one for each company that brings such logs.

A placeholder doesn't say who owns the subscription. Once the owner is known, that company's logs move to the subscription.
Logs of other companies stay where they are (docs/adr/0023-placeholders.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import connection, transaction

from ..cotalker import objectid
from ..cotalker.documents import InvalidDocument, LogDocument
from ..models import BulkRedeliveryItem, Company, Subscription, WebhookLog
from .company_scope import ImportScope

# An import that claims one of these rows waits until these logs are stored, and then moves them. If another import has just
# claimed one, this statement waits for it. Locked in the order of ids.
_LOCK = """
SELECT id, named_id, company_id, is_placeholder, is_for_all_companies FROM logs_subscription
WHERE id = ANY(%(ids)s) OR named_id = ANY(%(ids)s) AND named_id <> '' ORDER BY id FOR KEY SHARE
"""


class MovedLogs(Exception):
    """A placeholder was claimed at this moment: read the placeholders again."""


@dataclass(frozen=True, slots=True)
class _Row:
    id: str
    named_id: str
    company: str
    is_placeholder: bool
    is_for_all_companies: bool


class Placeholders:
    """The subscriptions that logs name, and their placeholders, locked until the transaction ends."""

    def __init__(self, logs: Iterable[LogDocument], reach: ImportScope) -> None:
        self.reach = reach
        with connection.cursor() as cursor:
            cursor.execute(_LOCK, {"ids": list({log.subscription_id for log in logs})})
            rows = [_Row(*row) for row in cursor.fetchall()]
        self.known = {row.id: row.company for row in rows if not row.is_placeholder}
        # If somebody turned a placeholder into a subscription here, its id may not be the one that Cotalker uses.
        self.kept = {
            (
                row.named_id or row.id,
                row.company,
                row.is_for_all_companies if row.is_placeholder else reach.is_all,
            ): row.id
            for row in rows
            if row.named_id or row.is_placeholder
        }

    def of(self, log: LogDocument) -> str | None:
        """The subscription under which the log is kept; None if it has no placeholder yet. Raises InvalidDocument."""
        company = self.known.get(log.subscription_id)
        if company and self.reach.has(company):
            return log.subscription_id
        kept = self.kept.get((log.subscription_id, log.company, self.reach.is_all))
        if company and not kept:
            self.reach.check(company, "/subscription")
        self.reach.check(log.company)
        return kept

    def differs(self, log: LogDocument) -> bool:
        """Whether the log names another company than its subscription belongs to, as far as that is known."""
        return self.known.get(log.subscription_id, log.company) != log.company


def create_placeholders(logs: Iterable[LogDocument], reach: ImportScope) -> None:
    """Create placeholders, inactive and without a URL, for logs that may be stored and have none yet."""
    logs = list(logs)
    with transaction.atomic():
        places = Placeholders(logs, reach)
        missing = sorted({(log.subscription_id, log.company) for log in logs if _is_missing(places, log)})
    for named, company in missing:
        Company.objects.get_or_create(pk=company)
        with transaction.atomic(), connection.cursor() as cursor:
            # Two imports that start at the same time create one placeholder.
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext('cotadmin: placeholder'), hashtext(%s))", [named])
            if not Subscription.objects.filter(
                named_id=named, company=company, is_for_all_companies=reach.is_all
            ).exists():
                is_first = not Subscription.objects.filter(pk=named).exists()
                _create(named if is_first else objectid.new_objectid(), named, company, reach.is_all)


def claim_placeholder(subscription: str, company: str, reach: ImportScope, rows: Sequence[Subscription]) -> None:
    """The subscription belongs to `company` now, and gets the logs of that company's placeholders.

    `rows`: the row with the subscription's id, and its other placeholders, all locked. A command or a superuser acts for all
    companies, and so also gets the logs that commands and superusers imported.
    """
    for row in rows:
        is_ours = row.company_id == company or (row.is_for_all_companies and reach.is_all)
        if row.pk == subscription and row.is_placeholder and not is_ours:
            Subscription.objects.filter(pk=row.pk).update(named_id="")
            aside = _create(objectid.new_objectid(), subscription, row.company_id, row.is_for_all_companies)
            _move(row.pk, aside.pk)
        elif row.pk != subscription and is_ours:
            _move(row.pk, subscription)
            row.delete()


def _is_missing(places: Placeholders, log: LogDocument) -> bool:
    try:
        return places.of(log) is None
    except InvalidDocument:
        return False


def _create(pk: str, named: str, company: str, is_for_all_companies: bool) -> Subscription:
    return Subscription.objects.create(
        pk=pk,
        named_id=named,
        company_id=company,
        is_for_all_companies=is_for_all_companies,
        name=named,
        is_placeholder=True,
        is_active=False,
        is_delivered_here=False,
    )


def _move(old: str, new: str) -> None:
    WebhookLog.objects.filter(subscription=old).update(subscription=new)
    BulkRedeliveryItem.objects.filter(subscription=old).update(subscription=new)
