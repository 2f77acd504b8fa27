"""Which logs have failed, whatever became of them since: ever, or within a time.

A log has failed by its failed attempts. An attempt at a custom URL says nothing about the log. An imported log counts by its own
time and outcome; more than one attempt means that the first one failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db.models import DateTimeField, DurationField, Exists, ExpressionWrapper, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Coalesce

from ..models import Attempt, AttemptTrigger, Cause, State, WebhookLog

LONGEST_ATTEMPT = timedelta(minutes=10)  # longer than any timeout
_FAILED_HERE = Q(subscription__isnull=False, cause__in=Cause.values)
_FAILED_AT_COTALKER = Q(trigger=AttemptTrigger.COTALKER) & (Q(cause__in=Cause.values) | Q(number__gt=1))
_IMPORTED_AFTER_A_FAILURE = Q(sequence=None) & (Q(state=State.FAILED) | Q(attempt_count__gt=1))
_TOOK = ExpressionWrapper(Coalesce("duration_ms", 0) * Value(timedelta(milliseconds=1)), output_field=DurationField())
_ENDED_AT = ExpressionWrapper(F("started_at") + _TOOK, output_field=DateTimeField())


def has_failed() -> Q:
    """Logs that are failed now, or have failed before."""
    attempts = _has_attempt(_FAILED_HERE | _FAILED_AT_COTALKER)
    return Q(state=State.FAILED) | _IMPORTED_AFTER_A_FAILURE | Q(attempts)


def failed_within(since: datetime | None, until: datetime | None) -> Q:
    """Logs with a failed attempt that ended from `since` to before `until`; None: no end. Quick for a few given logs."""
    here = _attempts_of_log(_FAILED_HERE).alias(ended_at=_ENDED_AT).filter(_range("ended_at", since, until))
    return Q(Exists(here)) | (_range("created_at", since, until) & _failed_at_cotalker())


def logs_failed_within(since: datetime | None, until: datetime | None, subscriptions: Sequence[str]) -> Q:
    """The same logs of these subscriptions. Quick for a short time: both indexes have the subscription and the time."""
    attempts = Attempt.objects.filter(_FAILED_HERE, _range("started_at", since and since - LONGEST_ATTEMPT, until))
    here = attempts.alias(ended_at=_ENDED_AT).filter(_range("ended_at", since, until), subscription__in=subscriptions)
    imported = WebhookLog.objects.filter(_range("created_at", since, until), subscription__in=subscriptions)
    at_cotalker = imported.filter(_failed_at_cotalker())
    return Q(pk__in=here.order_by().values("log").union(at_cotalker.order_by().values("pk")))


def _failed_at_cotalker() -> Q:
    return _IMPORTED_AFTER_A_FAILURE | Q(_has_attempt(_FAILED_AT_COTALKER))


def _has_attempt(condition: Q) -> Exists:
    return Exists(_attempts_of_log(condition))


def _attempts_of_log(condition: Q) -> QuerySet[Attempt]:
    """All attempts have such numbers. Without that condition, PostgreSQL might read all attempts, to look logs up in a hash."""
    return Attempt.objects.filter(condition, log=OuterRef("pk"), number__lte=OuterRef("attempt_count"))


def _range(column: str, since: datetime | None, until: datetime | None) -> Q:
    ends = {f"{column}__gte": since, f"{column}__lt": until}
    return Q(**{name: moment for name, moment in ends.items() if moment is not None})
