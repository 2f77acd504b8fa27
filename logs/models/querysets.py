"""Every reusable query, named in the words of the domain. Each view starts from `visible_to(user)`."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.apps import apps
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Case, Exists, OuterRef, Q, Value, When
from django.db.models.functions import Left, Now

from ..db.cursor_pagination import Page, cursor_page
from ..payloads.masking import mask_url, masked_keys
from .choices import (
    ENDED_BULK_STATES,
    FINISHED_IMPORT_STATES,
    OPEN_BULK_STATES,
    OPEN_OUTCOMES,
    OPEN_STATES,
    ImportState,
    ItemOutcome,
    ShareLinkState,
    SkipReason,
    State,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import AnonymousUser, User

    from . import Subscription

RESPONSE_IN_LISTS = 200
PERMISSIONS = "django.contrib.auth.backends.ModelBackend"  # the backend that looks permissions up
# Columns of the subscription that a log's row doesn't need.
DEFERRED_IN_LISTS = (
    "document",
    "description",
    "edited_fields",
    "encrypted_secret",
    "encrypted_previous_secret",
    "previous_secret_until",
    "encrypted_headers",
    "context_survey",
    "context_group",
    "context_task_group",
    "trigger",
    "timeout",
    "first_sequence",
    "queue_version",
)


class CompanyQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> CompanyQuerySet:
        """The companies that the user belongs to; a superuser sees all."""
        if user.is_superuser:
            return self
        return self.filter(users=user) if user.is_authenticated else self.none()


class SubscriptionQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> SubscriptionQuerySet:
        if user.is_superuser:
            return self
        return self.filter(company__in=apps.get_model("logs", "Company").objects.visible_to(user).values("pk"))

    def named(self, words: str) -> SubscriptionQuerySet:
        """Search by part of the name or code, or by the whole id."""
        return self.filter(_is_named(words))

    def searched(self, words: str) -> SubscriptionQuerySet:
        """Search by part of the name, code or URL, or by the whole id. URLs are searched as shown: masked parts aren't found."""
        keys, wanted = masked_keys(), words.casefold()
        urls = self.filter(url__icontains=words).values_list("pk", "url")
        shown = [pk for pk, url in urls if wanted in mask_url(url, keys).casefold()]
        return self.filter(_is_named(words) | Q(pk__in=shown))


def _is_named(words: str) -> Q:
    return Q(name__icontains=words) | Q(code__icontains=words) | Q(pk=words.strip().lower())


class CompanyOwnedQuerySet(models.QuerySet):
    """Rows that belong to one company each."""

    def visible_to(self, user: User | AnonymousUser) -> CompanyOwnedQuerySet:
        if user.is_superuser:
            return self
        return self.filter(company__in=apps.get_model("logs", "Company").objects.visible_to(user).values("pk"))


class IncidentQuerySet(CompanyOwnedQuerySet):
    def visible_to(self, user: User | AnonymousUser) -> IncidentQuerySet:
        return super().visible_to(user)  # type: ignore[return-value]

    def unresolved(self) -> IncidentQuerySet:
        return self.filter(resolved_at=None)

    def pressing(self) -> IncidentQuerySet:
        """Unresolved ones that nobody ignores."""
        return self.unresolved().filter(ignored_at=None)


class WebhookLogQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> WebhookLogQuerySet:
        """Visibility follows the subscription's company; a log's own company is data."""
        if user.is_superuser:
            return self
        return self.filter(
            subscription__in=apps.get_model("logs", "Subscription").objects.visible_to(user).values("pk")
        )

    def failed(self) -> WebhookLogQuerySet:
        return self.filter(state=State.FAILED)

    def delivered(self) -> WebhookLogQuerySet:
        return self.filter(state=State.DELIVERED)

    def on(self, subscription: Subscription) -> WebhookLogQuerySet:
        return self.filter(subscription=subscription)

    def for_object(self, object_id: str) -> WebhookLogQuerySet:
        return self.filter(object_id=object_id)

    def since(self, moment: datetime) -> WebhookLogQuerySet:
        return self.filter(created_at__gte=moment)

    def before(self, moment: datetime) -> WebhookLogQuerySet:
        return self.filter(created_at__lt=moment)

    def queued(self) -> WebhookLogQuerySet:
        """Queued logs: they will be sent now or later."""
        return self.filter(next_attempt_at__isnull=False)

    def open(self) -> WebhookLogQuerySet:
        """Logs that aren't finished: queued, open in a bulk redelivery, or blocking a paused queue until a person decides."""
        return self.filter(_is_open())

    def finished(self) -> WebhookLogQuerySet:
        return self.filter(~_is_open())

    def newest_first(self) -> WebhookLogQuerySet:
        return self.order_by("-created_at", "-id")

    def for_list(self) -> WebhookLogQuerySet:
        """With the columns that a row shows, and without the large ones."""
        return (
            self.select_related("subscription")
            .defer("response", "extra", "search", *(f"subscription__{name}" for name in DEFERRED_IN_LISTS))
            .annotate(response_start=Left("response", RESPONSE_IN_LISTS))
        )

    def newer_than(self, log) -> WebhookLogQuerySet:
        """Logs before it in a list with the newest first. The first condition lets PostgreSQL walk an index."""
        later = Q(created_at__gt=log.created_at) | Q(id__gt=log.pk)
        return self.filter(created_at__gte=log.created_at).filter(later)

    def older_than(self, log) -> WebhookLogQuerySet:
        """Logs after it in a list with the newest first."""
        earlier = Q(created_at__lt=log.created_at) | Q(id__lt=log.pk)
        return self.filter(created_at__lte=log.created_at).filter(earlier)

    def superseding(self, log) -> WebhookLogQuerySet:
        """Newer delivered events of the same object and subscription (in SQL: logs/delivery/superseded.py)."""
        if not log.object_id:
            return self.none()
        return self.on(log.subscription_id).for_object(log.object_id).delivered().newer_than(log)

    def page(self, cursor: str = "", size: int = 50) -> Page:
        """A page of the newest logs, or of those after `cursor`; raises cursor_pagination.InvalidCursor."""
        return cursor_page(self, cursor, size)


def _is_open() -> Q:
    blocking = apps.get_model("logs", "Subscription").objects.exclude(blocking_log="").values("blocking_log")
    in_bulk = apps.get_model("logs", "BulkRedeliveryItem").objects.open().values("log")
    is_waited_for = Q(pk__in=blocking) | Q(pk__in=in_bulk)
    return Q(state__in=OPEN_STATES) | Q(next_attempt_at__isnull=False) | is_waited_for


class PayloadQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> PayloadQuerySet:
        if user.is_superuser:
            return self
        return self.filter(log__in=apps.get_model("logs", "WebhookLog").objects.visible_to(user).values("pk"))


class ImportQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> ImportQuerySet:
        """The user's own uploads; a superuser sees all."""
        return self if user.is_superuser else self.filter(uploaded_by=user)

    def finished(self) -> ImportQuerySet:
        return self.filter(state__in=FINISHED_IMPORT_STATES)

    def unfinished(self) -> ImportQuerySet:
        return self.filter(state__in=[ImportState.WAITING, ImportState.RUNNING])


class SavedViewQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> SavedViewQuerySet:
        """The user's own views and those shared by colleagues or superusers. A superuser sees all shared views."""
        if user.is_superuser:
            return self.filter(Q(owner=user.pk) | Q(is_shared=True))
        companies = apps.get_model("logs", "Company").objects.visible_to(user)
        colleagues = apps.get_model("logs", "Company").users.through.objects.filter(company__in=companies.values("pk"))
        shared_with_them = Q(is_shared=True) & (Q(owner__is_superuser=True) | Q(owner__in=colleagues.values("user")))
        return self.filter(Q(owner=user.pk) | shared_with_them)

    def editable_by(self, user: User | AnonymousUser) -> SavedViewQuerySet:
        """The user's own views; a superuser may also edit shared ones."""
        visible = self.visible_to(user)
        return visible if user.is_superuser else visible.filter(owner=user.pk)

    def pinned_by(self, user: User | AnonymousUser) -> SavedViewQuerySet:
        """Views in the user's navigation, ordered by name."""
        return self.visible_to(user).filter(pinned_by=user.pk)

    def with_is_pinned(self, user: User | AnonymousUser) -> SavedViewQuerySet:
        """With `is_pinned`: whether the view is in the user's navigation."""
        pins = apps.get_model("logs", "SavedView").pinned_by.through.objects.filter(savedview=OuterRef("pk"))
        return self.annotate(is_pinned=Exists(pins.filter(user=user.pk)))


class ShareLinkQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> ShareLinkQuerySet:
        """Links to logs that the user may see."""
        if user.is_superuser:
            return self
        return self.filter(log__in=apps.get_model("logs", "WebhookLog").objects.visible_to(user).values("pk"))

    def with_state(self) -> ShareLinkQuerySet:
        """With `state`, a `ShareLinkState`, and `has_payload`: whether the payload is shown.

        A link shows what its creator may see now. It shows nothing once they may no longer share the log.
        """
        may_share = _creator_may("logs.share_webhooklog") & _creator_may("logs.view_webhooklog")
        state = Case(
            When(revoked_at__isnull=False, then=Value(ShareLinkState.REVOKED.value)),
            When(expires_at__lte=Now(), then=Value(ShareLinkState.EXPIRED.value)),
            When(may_share, then=Value(ShareLinkState.OPEN.value)),
            default=Value(ShareLinkState.SUSPENDED.value),
        )
        return self.annotate(state=state, has_payload=Q(includes_payload=True) & _creator_may("logs.view_payload"))


def _creator_may(permission: str) -> Q:
    """Whether the creator of a link has the permission and an active account, and belongs to the log's company."""
    creators = get_user_model().objects.with_perm(permission, backend=PERMISSIONS).filter(pk=OuterRef("created_by"))
    return Q(Exists(creators.filter(Q(is_superuser=True) | Q(companies=OuterRef("log__subscription__company")))))


class BulkRedeliveryQuerySet(models.QuerySet):
    def visible_to(self, user: User | AnonymousUser) -> BulkRedeliveryQuerySet:
        """Bulk redeliveries whose logs all belong to the user's companies. A plan is visible only to its creator."""
        if user.is_superuser:
            return self
        own = apps.get_model("logs", "Company").objects.visible_to(user).values("pk")
        companies = apps.get_model("logs", "BulkRedelivery").companies.through.objects.filter(
            bulkredelivery=OuterRef("pk")
        )
        is_ours = Exists(companies.filter(company__in=own)) & ~Exists(companies.exclude(company__in=own))
        return self.filter(Q(planned_by=user.pk) | Q(started_at__isnull=False)).filter(
            is_ours | Q(planned_by=user.pk) & ~Exists(companies)
        )

    def started(self) -> BulkRedeliveryQuerySet:
        return self.filter(started_at__isnull=False)

    def open(self) -> BulkRedeliveryQuerySet:
        """Started and not ended: running or paused."""
        return self.filter(state__in=OPEN_BULK_STATES)

    def ended(self) -> BulkRedeliveryQuerySet:
        return self.filter(state__in=ENDED_BULK_STATES)


class BulkRedeliveryItemQuerySet(models.QuerySet):
    def open(self) -> BulkRedeliveryItemQuerySet:
        """Items without a final outcome: waiting or queued."""
        return self.filter(outcome__in=OPEN_OUTCOMES)

    def mark_removed(self) -> int:
        """Skip the queued items, whose logs a person took out of their queue. Returns how many.

        An attempt in flight stores its outcome later.
        """
        return self.filter(outcome=ItemOutcome.QUEUED).update(
            outcome=ItemOutcome.SKIPPED, skip_reason=SkipReason.REMOVED, finished_at=Now()
        )
