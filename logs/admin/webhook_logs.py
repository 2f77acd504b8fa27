"""Webhook logs, possibly millions: read, found by id, and redelivered."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..cotalker import objectid
from ..logsearch.filterset import EVENT_TYPES
from ..models import Attempt, BulkRedeliveryItem, EventType, Payload, WebhookLog
from ..payloads.masking import mask_text, masked_keys
from . import redelivery
from .base import ReadOnlyAdmin, VisibleAdmin, format_json


class EventTypeFilter(admin.SimpleListFilter):
    """The known event types; querying the table for its types would read all of it."""

    title = _("event type")
    parameter_name = "event_type"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, Any]]:
        return list(EVENT_TYPES.items())

    def queryset(self, request: HttpRequest, queryset: QuerySet) -> QuerySet:
        if self.value() == "other":
            return queryset.exclude(event_type__in=EventType.values)
        return queryset.filter(event_type=self.value()) if self.value() in EventType.values else queryset


@admin.register(WebhookLog)
class WebhookLogAdmin(VisibleAdmin, ReadOnlyAdmin):
    list_display = [
        *("created_at", "state", "event_type", "action", "title", "subscription"),
        *("status", "cause", "attempt_count"),
    ]
    list_filter = ["state", "cause", EventTypeFilter]
    list_select_related = ["subscription"]
    search_fields = ["id", "object_id"]
    search_help_text = _("Full id of a log or its object")
    ordering = ["-created_at", "-id"]
    raw_id_fields = ["subscription", "requested_by"]
    actions = ["redeliver_selected"]
    fields = [
        *("id", "created_at", "subscription", "company", "event_type", "action", "title", "object_id"),
        *("state", "status", "cause", "shown_fingerprint", "attempt_count", "duration_ms"),
        *("next_attempt_at", "requested_by", "attempts", "shown_response", "shown_payload"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[WebhookLog]:
        heavy = ["response", "extra", "search", "subscription__document", "subscription__description"]
        return super().get_queryset(request).defer(*heavy)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Search by full ids, which have an index; anything else would read every row."""
        term = search_term.strip().lower()
        if not term:
            return queryset, False
        logs = queryset.filter(Q(pk=term) | Q(object_id=term)) if objectid.is_objectid(term) else queryset.none()
        return logs, False

    def get_fields(self, request: HttpRequest, obj: WebhookLog | None = None) -> list[Any]:
        may_see_payload = request.user.has_perm("logs.view_payload")
        return [name for name in self.fields if may_see_payload or name != "shown_payload"]

    def has_delete_permission(self, request: HttpRequest, obj: WebhookLog | None = None) -> bool:
        return bool(request.user.is_active and request.user.is_superuser)

    def get_actions(self, request: HttpRequest) -> dict:
        """Logs can only be deleted one at a time."""
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions

    def get_deleted_objects(self, objs, request: HttpRequest):
        """Attempts and items of bulk redeliveries can't be deleted on their own, but go with their log."""
        deleted, counts, missing, protected = super().get_deleted_objects(objs, request)
        return deleted, counts, missing - {Attempt._meta.verbose_name, BulkRedeliveryItem._meta.verbose_name}, protected

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("logs.redeliver_webhooklog")

    @admin.action(description=_("Redeliver selected"), permissions=["redeliver"])
    def redeliver_selected(self, request: HttpRequest, queryset: QuerySet[WebhookLog]) -> HttpResponse | None:
        return redelivery.redeliver_selected(self, request, queryset)

    def view_on_site(self, obj: WebhookLog) -> str:
        return obj.get_absolute_url()

    @admin.display(description=_("object"))
    def title(self, log: WebhookLog) -> str:
        return log.title

    @admin.display(description=_("attempts"))
    def attempts(self, log: WebhookLog) -> str:
        address = f"{reverse('admin:logs_attempt_changelist')}?q={log.pk}"
        return format_html('<a href="{}">{}</a>', address, log.attempts.count())

    @admin.display(description=_("fingerprint"))
    def shown_fingerprint(self, log: WebhookLog) -> str:
        return mask_text(log.fingerprint, masked_keys())

    @admin.display(description=_("response"))
    def shown_response(self, log: WebhookLog) -> str:
        return mask_text(log.response or "", masked_keys())

    @admin.display(description=_("payload"))
    def shown_payload(self, log: WebhookLog) -> str:
        event = Payload.objects.filter(pk=log.pk).values_list("event", flat=True).first()
        return (
            format_html('<pre tabindex="0">{}</pre>', format_json(event))
            if event
            else str(_("The payload has expired."))
        )
