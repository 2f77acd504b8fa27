"""How long payloads and logs are kept, and what the last run of `prune` did. One row, or none until someone sets it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .audit import AuditAction, AuditEntry

MAX_DAYS = 36_500  # days
SUGGESTED_PAYLOAD_DAYS = 90
SUGGESTED_LOG_DAYS = 400
_DAYS = [MinValueValidator(1), MaxValueValidator(MAX_DAYS)]


class Retention(models.Model):
    """Days of None: kept forever."""

    payload_days = models.PositiveIntegerField(_("payload retention (days)"), null=True, blank=True, validators=_DAYS)
    log_days = models.PositiveIntegerField(_("log retention (days)"), null=True, blank=True, validators=_DAYS)
    changed_at = models.DateTimeField(_("changed"), null=True, editable=False)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.SET_NULL, null=True, related_name="+", editable=False, verbose_name=_("by")
    )
    # Payloads of ids created before this have been removed, except those of open logs.
    payloads_expired_before = models.DateTimeField(null=True, editable=False)
    # When a person asked the current run to stop. The next run resets it.
    stop_requested_at = models.DateTimeField(null=True, editable=False)
    run_at = models.DateTimeField(_("last run"), null=True, editable=False)
    run_payloads = models.BigIntegerField(default=0, editable=False)
    run_logs = models.BigIntegerField(default=0, editable=False)
    run_busy_months = models.IntegerField(default=0, editable=False)

    class Meta:
        verbose_name = _("retention")
        verbose_name_plural = _("retention")
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(pk=1), name="retention_is_one"),
            models.CheckConstraint(
                condition=Q(payload_days__isnull=True) | Q(payload_days__range=(1, MAX_DAYS)),
                name="retention_payload_days",
            ),
            models.CheckConstraint(
                condition=Q(log_days__isnull=True) | Q(log_days__range=(1, MAX_DAYS)), name="retention_log_days"
            ),
            models.CheckConstraint(
                condition=Q(payload_days__isnull=True) | Q(log_days__isnull=True) | Q(payload_days__lte=F("log_days")),
                name="retention_payloads_first",
            ),
        ]

    def __str__(self) -> str:
        return str(_("retention"))

    @classmethod
    def current(cls) -> Retention:
        """The row; if there is none, an unsaved one that keeps everything."""
        return cls.objects.select_related("changed_by").filter(pk=1).first() or cls(pk=1)

    @classmethod
    def change(cls, *, payload_days: int | None, log_days: int | None, by: Any) -> bool:
        """Keep them this long from now on; False if nothing changes."""
        with transaction.atomic():
            cls.objects.get_or_create(pk=1)
            row = cls.objects.select_for_update().get(pk=1)
            if (row.payload_days, row.log_days) == (payload_days, log_days):
                return False
            detail = f"payloads: {row.payload_days} → {payload_days}, logs: {row.log_days} → {log_days}"
            row.payload_days, row.log_days, row.changed_at, row.changed_by = payload_days, log_days, timezone.now(), by
            row.save(update_fields=["payload_days", "log_days", "changed_at", "changed_by"])
            AuditEntry.record(by, AuditAction.RETENTION_CHANGED, detail=detail.replace("None", "–"))
        return True

    def is_current(self) -> bool:
        """Whether these days are still the stored ones."""
        return self._has_days_of(type(self).current())

    def must_stop(self) -> bool:
        """Whether a run with these days must end: the days have changed, or someone asked it to stop."""
        stored = type(self).current()
        return stored.stop_requested_at is not None or not self._has_days_of(stored)

    def _has_days_of(self, stored: Retention) -> bool:
        return (stored.payload_days, stored.log_days) == (self.payload_days, self.log_days)

    @classmethod
    def request_stop(cls, *, by: Any) -> bool:
        """Stop the current run before its next step; False if that was already requested."""
        with transaction.atomic():
            if not cls.objects.filter(pk=1, stop_requested_at=None).update(stop_requested_at=timezone.now()):
                return False
            AuditEntry.record(by, AuditAction.RETENTION_STOPPED)
        return True

    @classmethod
    def begin_run(cls) -> None:
        cls.objects.filter(pk=1).update(stop_requested_at=None)

    @classmethod
    def set_expired_before(cls, boundary: datetime) -> None:
        """Remember that payloads of ids created before `boundary` expire. The boundary never moves back."""
        rows = cls.objects.filter(pk=1).filter(
            Q(payloads_expired_before=None) | Q(payloads_expired_before__lt=boundary)
        )
        rows.update(payloads_expired_before=boundary)

    @classmethod
    def record_run(cls, *, payloads: int, logs: int, busy_months: int) -> None:
        cls.objects.filter(pk=1).update(
            run_at=timezone.now(), run_payloads=payloads, run_logs=logs, run_busy_months=busy_months
        )

    @property
    def payload_age(self) -> timedelta | None:
        return None if self.payload_days is None else timedelta(days=self.payload_days)

    @property
    def log_age(self) -> timedelta | None:
        return None if self.log_days is None else timedelta(days=self.log_days)
