"""Bulk redeliveries and their items, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from ..models import BulkRedelivery, BulkRedeliveryItem
from ..payloads.masking import mask_text, masked_keys
from .base import ReadOnlyAdmin, VisibleAdmin


class BulkRedeliveryAdminBase(ReadOnlyAdmin):
    """Users who may see logs may also see their bulk redeliveries."""

    def has_view_permission(self, request: HttpRequest, obj: BulkRedelivery | BulkRedeliveryItem | None = None) -> bool:
        return request.user.has_perm("logs.view_webhooklog")

    def has_module_permission(self, request: HttpRequest) -> bool:
        return self.has_view_permission(request)


@admin.register(BulkRedelivery)
class BulkRedeliveryAdmin(VisibleAdmin, BulkRedeliveryAdminBase):
    list_display = ["id", "reason", "state", "source", "started_by", "started_at", "ended_at"]
    list_filter = ["state"]
    list_select_related = ["started_by"]
    raw_id_fields = ["parent", "planned_by", "started_by"]
    fields = [
        *("reason", "state", "source", "shown_query", "parent"),
        *("planned_by", "planned_at", "started_by", "started_at", "ended_at"),
        *("superseded_policy", "includes_delivered", "rollout", "max_attempts", "rate", "failure_percent"),
    ]

    def view_on_site(self, obj: BulkRedelivery) -> str:
        return obj.get_absolute_url()

    @admin.display(description=_("filter"))
    def shown_query(self, bulk: BulkRedelivery) -> str:
        return mask_text(bulk.query, masked_keys())


@admin.register(BulkRedeliveryItem)
class BulkRedeliveryItemAdmin(BulkRedeliveryAdminBase):
    list_display = [
        *("id", "bulk_redelivery_id", "number", "log_id"),
        *("outcome", "skip_reason", "attempt_number", "status", "cause"),
    ]
    list_filter = ["outcome"]
    raw_id_fields = ["bulk_redelivery", "log"]
    search_fields = ["log"]
    search_help_text = _("The id of a log")
    fields = [
        *("bulk_redelivery", "number", "log", "is_superseded", "is_latest_resend"),
        *("before_state", "before_status", "before_cause"),
        *("outcome", "skip_reason", "queued_at", "finished_at", "attempt_number", "status", "cause", "duration_ms"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[BulkRedeliveryItem]:
        visible = BulkRedelivery.objects.visible_to(request.user)
        return super().get_queryset(request).filter(bulk_redelivery__in=visible.values("pk"))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """Search by the full id, which has an index."""
        return (queryset.filter(log=search_term.strip().lower()) if search_term else queryset), False
