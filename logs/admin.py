"""The Django admin site, usable with millions of logs: nothing is counted, selects stay small, payloads are read one by one.

Logs, attempts and the record are read-only here; what changes them are the domain's own verbs.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.template.response import TemplateResponse
from django.utils.functional import cached_property
from django.utils.html import format_html
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from . import objectid
from .counting import bounded_count
from .delivery.guard import Blocked, Guard
from .masked_keys import masked_keys
from .models import (
    Attempt,
    AuditAction,
    AuditEntry,
    Company,
    Import,
    Payload,
    RedeliveryRefused,
    Subscription,
    WebhookLog,
)
from .payloads.masking import mask_json, mask_text, mask_url

REDELIVERED_AT_ONCE = 100

admin.site.site_title = admin.site.site_header = _("cotadmin administration")
admin.site.index_title = _("What is stored")


class BoundedPaginator(Paginator):
    """Counts to 10,000 and no further; older rows are found by search and filter."""

    @cached_property
    def count(self) -> int:
        return bounded_count(self.object_list).number or 0  # type: ignore[arg-type]


class VisibleAdmin(admin.ModelAdmin):
    """Staff who are no superusers see their companies' rows only."""

    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).visible_to(request.user)


class ReadOnly:
    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Company)
class CompanyAdmin(VisibleAdmin):
    list_display = ["name", "id"]
    search_fields = ["name", "id"]
    filter_horizontal = ["users"]

    def get_readonly_fields(self, request: HttpRequest, obj: Company | None = None) -> list[str]:
        return ["id"] if obj else []


class SubscriptionAdminForm(forms.ModelForm):
    def clean_url(self) -> str:
        url = self.cleaned_data["url"]
        try:
            if url:
                Guard.from_settings().check_names(url)
        except Blocked as error:
            raise forms.ValidationError(error.message) from error
        return url


@admin.register(Subscription)
class SubscriptionAdmin(VisibleAdmin):
    form = SubscriptionAdminForm
    list_display = ["name", "code", "company", "trigger", "is_active", "is_placeholder"]
    list_filter = ["is_active", "is_placeholder", "trigger"]
    list_select_related = ["company"]
    search_fields = ["=id", "name", "code"]
    autocomplete_fields = ["company"]
    fields = [
        "id",
        "company",
        "name",
        "code",
        "description",
        "url",
        "is_active",
        "trigger",
        "context_survey",
        "context_group",
        "context_task_group",
        "edited_fields",
        "shown_document",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).defer("document", "encrypted_secret")

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> list[str]:
        fixed = ["id", "edited_fields", "shown_document"]
        return [*fixed, "company", "code"] if obj and not obj.is_placeholder else fixed

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # its logs are the record; it can be deactivated

    @admin.display(description=_("document"))
    def shown_document(self, subscription: Subscription) -> str:
        return format_html("<pre>{}</pre>", mask_json(subscription.document or "–", masked_keys()))

    def save_model(self, request: HttpRequest, obj: Subscription, form: forms.ModelForm, change: bool) -> None:
        if obj.is_placeholder and obj.code and obj.trigger:
            obj.is_placeholder = False
        obj.mark_edited(form.changed_data)
        if change:
            obj.save(update_fields=[*form.changed_data, "edited_fields", "is_placeholder"])
        else:
            obj.save()
        action = AuditAction.SUBSCRIPTION_CHANGED if change else AuditAction.SUBSCRIPTION_CREATED
        AuditEntry.record(request.user, action, obj.pk, ", ".join(form.changed_data))


@admin.register(WebhookLog)
class WebhookLogAdmin(ReadOnly, VisibleAdmin):
    list_display = ["created_at", "state", "event_type", "action", "title", "subscription", "status", "cause", "retry"]
    list_filter = ["state", "cause"]
    list_select_related = ["subscription"]
    ordering = ["-created_at", "-id"]
    search_fields = ["id"]
    search_help_text = _("The id of a log or of its object. For words, use the log explorer.")
    actions = ["redeliver"]
    fields = [
        "id",
        "page",
        "subscription",
        "company",
        "created_at",
        "state",
        "status",
        "cause",
        "retry",
        "shown_response",
        "event_type",
        "action",
        "object_id",
        "object_name",
        "duration_ms",
        "next_attempt_at",
        "shown_payload",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        found = super().get_queryset(request).defer("extra", "search", "subscription__document")
        return found if request.resolver_match.url_name.endswith("_change") else found.defer("response")  # type: ignore[union-attr]

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        if not search_term:
            return queryset, False
        if not objectid.is_objectid(search_term.strip()):
            messages.warning(request, gettext("Search here by the whole id of a log or of its object."))
            return queryset.none(), False
        pk = objectid.parse(search_term.strip())
        return queryset.filter(pk=pk) | queryset.filter(object_id=pk), False

    @admin.display(description=_("object"))
    def title(self, log: WebhookLog) -> str:
        return log.title

    @admin.display(description=_("page"))
    def page(self, log: WebhookLog) -> str:
        return format_html('<a href="{}">{}</a>', log.get_absolute_url(), gettext("Attempts, changes and re-delivery"))

    @admin.display(description=_("response"))
    def shown_response(self, log: WebhookLog) -> str:
        return format_html("<pre>{}</pre>", mask_text(log.response or "–", masked_keys()))

    @admin.display(description=_("payload"))
    def shown_payload(self, log: WebhookLog) -> str:
        event = Payload.objects.filter(pk=log.pk).values_list("event", flat=True).first()
        if event is None:
            return gettext("The payload has expired.")
        return format_html("<pre>{}</pre>", mask_json(event, masked_keys()))

    def get_fields(self, request: HttpRequest, obj: WebhookLog | None = None) -> list[str]:
        may_see = request.user.has_perm("logs.view_payload")
        return [name for name in self.fields if may_see or name not in ("shown_payload", "object_name")]

    def has_redeliver_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("logs.redeliver_webhooklog")

    @admin.action(description=_("Re-deliver selected webhook logs…"), permissions=["redeliver"])
    def redeliver(self, request: HttpRequest, queryset: QuerySet) -> TemplateResponse | None:
        """Asks first; then queues one more attempt of each selected log that was not received."""
        logs = list(queryset.select_related("subscription")[: REDELIVERED_AT_ONCE + 1])
        if len(logs) > REDELIVERED_AT_ONCE:
            messages.error(
                request, gettext("Select at most %(number)s logs at once.") % {"number": REDELIVERED_AT_ONCE}
            )
            return None
        if "confirmed" not in request.POST:
            context = self.admin_site.each_context(request) | {
                "title": gettext("Re-deliver?"),
                "opts": self.opts,
                "logs": logs,
                "received": sum(log.is_success for log in logs),
            }
            return TemplateResponse(request, "admin/logs/webhooklog/redeliver.html", context)
        self._redeliver(request, [log for log in logs if not log.is_success])
        return None

    def _redeliver(self, request: HttpRequest, logs: list[WebhookLog]) -> None:
        queued = 0
        for log in logs:
            try:
                if log.redeliver(by=request.user, after_try=log.retry or 0):
                    AuditEntry.record(request.user, AuditAction.REDELIVERED, log.pk)
                    queued += 1
            except RedeliveryRefused as error:
                messages.warning(request, f"{log.pk}: {error}")
        text = ngettext("%(number)s re-delivery is queued.", "%(number)s re-deliveries are queued.", queued)
        messages.success(request, text % {"number": queued})


class OfVisibleLogs(ReadOnly, admin.ModelAdmin):
    show_full_result_count = False
    paginator = BoundedPaginator
    list_per_page = 50


@admin.register(Attempt)
class AttemptAdmin(OfVisibleLogs):
    list_display = ["started_at", "log", "number", "trigger", "actor", "status", "cause", "duration_ms"]
    list_filter = ["trigger", "cause"]
    list_select_related = ["actor"]
    ordering = ["-id"]
    search_fields = ["=log__id"]
    fields = [
        "log_id",
        "number",
        "trigger",
        "actor",
        "started_at",
        "duration_ms",
        "shown_url",
        "status",
        "cause",
        "shown_response",
        "is_truncated",
        "note",
    ]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        found = super().get_queryset(request).defer("response_headers")
        if request.user.is_superuser:
            return found
        return found.filter(log__in=WebhookLog.objects.visible_to(request.user).values("pk"))

    @admin.display(description=_("URL"))
    def shown_url(self, attempt: Attempt) -> str:
        return mask_url(attempt.url, masked_keys())

    @admin.display(description=_("response"))
    def shown_response(self, attempt: Attempt) -> str:
        return format_html("<pre>{}</pre>", mask_text(attempt.response, masked_keys()))


@admin.register(AuditEntry)
class AuditEntryAdmin(OfVisibleLogs):
    list_display = ["at", "actor", "action", "about", "detail"]
    list_filter = ["action"]
    list_select_related = ["actor"]
    search_fields = ["=about"]

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        found = super().get_queryset(request)
        if request.user.is_superuser:
            return found
        subscriptions = Subscription.objects.visible_to(request.user).values("pk")
        logs = WebhookLog.objects.visible_to(request.user).values("pk")
        return found.filter(about__in=subscriptions) | found.filter(about__in=logs)


@admin.register(Import)
class ImportAdmin(ReadOnly, VisibleAdmin):
    list_display = ["file_name", "kind", "uploaded_by", "uploaded_at", "state", "read", "new", "refused"]
    list_filter = ["kind", "state"]
    list_select_related = ["uploaded_by"]
