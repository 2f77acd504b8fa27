"""Attempts, audit entries, share links and imports, read-only."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _

from ..models import Attempt, AttemptTrigger, AuditEntry, Company, Import, ShareLink, Subscription, WebhookLog
from ..payloads.masking import mask_headers, mask_text, mask_url, masked_keys
from ..templatetags.ui import duration, humanbytes
from .base import ReadOnlyAdmin, VisibleAdmin


@admin.register(Attempt)
class AttemptAdmin(ReadOnlyAdmin):
    list_display = ["id", "log_id", "number", "trigger", "actor", "started_at", "status", "cause", "took"]
    list_filter = ["trigger", "cause"]
    list_select_related = ["actor"]
    raw_id_fields = ["log", "actor"]
    search_fields = ["log"]
    search_help_text = _("The id of a log")
    fields = [
        *("log", "number", "trigger", "shown_override", "actor", "started_at", "took", "shown_url"),
        *("status", "cause", "note", "shown_headers", "shown_response", "is_truncated"),
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Attempt]:
        attempts = super().get_queryset(request).defer("response", "response_headers")
        if request.user.is_superuser:
            return attempts
        return attempts.filter(log__in=WebhookLog.objects.visible_to(request.user).values("pk"))

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By the whole id, which has an index."""
        return (queryset.filter(log=search_term.strip().lower()) if search_term else queryset), False

    @admin.display(description=_("duration"))
    def took(self, attempt: Attempt) -> str:
        return duration(attempt.duration_ms)

    @admin.display(description=_("changed"))
    def shown_override(self, attempt: Attempt) -> str:
        """Link to the changed request that it sent."""
        if attempt.trigger != AttemptTrigger.OVERRIDE:
            return "–"
        address = reverse("logs:override_detail", args=[attempt.log_id, attempt.number])
        return format_html('<a href="{}">{}</a>', address, _("Sent request"))

    @admin.display(description=_("URL"))
    def shown_url(self, attempt: Attempt) -> str:
        return mask_url(attempt.url, masked_keys())

    @admin.display(description=_("response headers"))
    def shown_headers(self, attempt: Attempt) -> str:
        headers = mask_headers(attempt.response_headers, masked_keys())
        return "\n".join(f"{name}: {value}" for name, value in headers)

    @admin.display(description=_("response"))
    def shown_response(self, attempt: Attempt) -> str:
        return mask_text(attempt.response, masked_keys())


@admin.register(AuditEntry)
class AuditEntryAdmin(ReadOnlyAdmin):
    list_display = ["at", "actor", "action", "target", "detail"]
    list_filter = ["action"]
    list_select_related = ["actor"]
    raw_id_fields = ["actor"]
    search_fields = ["target"]
    search_help_text = _("The id of a log or a subscription")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AuditEntry]:
        """The user's own entries, and those about anything that the user may see."""
        entries, user = super().get_queryset(request), request.user
        if user.is_superuser:
            return entries
        target = OuterRef("target")
        return entries.filter(
            Q(actor=user)
            | Exists(Subscription.objects.visible_to(user).filter(pk=target))
            | Exists(WebhookLog.objects.visible_to(user).filter(pk=target))
            | Exists(Company.objects.visible_to(user).filter(pk=target))
        )

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        """By the whole id, which has an index."""
        return (queryset.filter(target=search_term.strip().lower()) if search_term else queryset), False


@admin.register(ShareLink)
class ShareLinkAdmin(VisibleAdmin, ReadOnlyAdmin):
    list_display = [
        "__str__",
        "log_id",
        "created_by",
        "created_at",
        "expires_at",
        "revoked_at",
        "views",
        "last_seen_at",
    ]
    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    list_select_related = ["created_by"]
    raw_id_fields = ["log", "created_by", "revoked_by"]
    fields = [
        *("log", "note", "includes_payload", "created_by", "created_at", "expires_at"),
        *("revoked_by", "revoked_at", "views", "last_seen_at"),
    ]


@admin.register(Import)
class ImportAdmin(VisibleAdmin, ReadOnlyAdmin):
    list_display = [
        *("file_name", "kind", "uploaded_by", "uploaded_at", "state"),
        *("read", "new", "unchanged", "updated", "rejected"),
    ]
    list_filter = ["kind", "state"]
    list_select_related = ["uploaded_by"]
    raw_id_fields = ["uploaded_by"]
    fields = [
        *("file_name", "shown_size", "kind", "uploaded_by", "uploaded_at", "state", "finished_at"),
        *("read", "new", "unchanged", "updated", "rejected", "error"),
    ]

    def view_on_site(self, obj: Import) -> str:
        return obj.get_absolute_url()

    @admin.display(description=_("size"))
    def shown_size(self, obj: Import) -> str:
        return humanbytes(obj.size)
