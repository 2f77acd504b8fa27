"""Subscriptions. As on the pages, edits survive the next import and are audited; secrets are changed on the pages."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from ..forms.fields import ObjectIdFormField, check_url
from ..forms.subscription import CONTEXT_FIELDS, trigger_choices
from ..models import AuditAction, AuditEntry, Company, Subscription
from ..payloads.masking import mask_url, masked_keys
from ..signing import generate_secret
from .base import VisibleAdmin, format_json


class SubscriptionAdminForm(forms.ModelForm):
    trigger = forms.ChoiceField(label=_("Trigger"))

    class Meta:
        model = Subscription
        fields = ["company", "name", "code", "description", "url", "trigger", *CONTEXT_FIELDS, "is_active"]
        field_classes = dict.fromkeys(CONTEXT_FIELDS, ObjectIdFormField)

    def __init__(self, *args, **kwargs) -> None:
        super().__init__(*args, **kwargs)
        if "url" in self.fields:
            self.fields["url"].required = True  # only a placeholder may have no URL
        if "trigger" in self.fields:
            self.fields["trigger"].choices = [("", "---------"), *trigger_choices(self.instance)]  # type: ignore[attr-defined]

    def clean_url(self) -> str:
        """Check the URL as the subscription's page does. A URL that is already stored doesn't block edits of other fields."""
        url = self.cleaned_data["url"]
        if url == self.initial.get("url"):
            return url
        check_url(url)
        return url

    def clean_is_active(self) -> bool:
        is_active = self.cleaned_data["is_active"]
        if is_active and self.instance.pk and self.instance.keeps_events:
            raise ValidationError(
                gettext(
                    "This subscription has kept events. Activate it on its page, where you decide what to do with them."
                ),
                code="kept",
            )
        return is_active

    def clean(self) -> dict[str, Any]:
        """Check the model's constraint: Django skips it, because its condition uses a column that isn't in the form."""
        data = super().clean() or {}
        company, code = data.get("company"), data.get("code")
        if company and code and Subscription.objects.filter(company=company, code=code, is_placeholder=False).exists():
            self.add_error("code", gettext("This company has another subscription with this code."))
        return data


@admin.register(Subscription)
class SubscriptionAdmin(VisibleAdmin):
    form = SubscriptionAdminForm
    list_display = ["name", "code", "company", "trigger", "is_active"]
    list_select_related = ["company"]
    list_filter = ["is_active", "is_placeholder", "trigger"]
    search_fields = ["name", "code", "url", "id"]
    search_help_text = _("Name, code, URL or id")
    autocomplete_fields = ["company"]
    readonly_fields = ["id", "shown_url", "is_signed", "is_placeholder", "edited_fields", "shown_document"]
    show_full_result_count = False

    def get_search_results(self, request: HttpRequest, queryset: QuerySet, search_term: str) -> tuple[QuerySet, bool]:
        words = search_term.strip()
        return (queryset.searched(words) if words else queryset), False  # type: ignore[attr-defined]

    def get_fields(self, request: HttpRequest, obj: Subscription | None = None) -> list[Any]:
        """Users who may not edit see the URL with its secrets masked."""
        if obj is None:
            return list(SubscriptionAdminForm.Meta.fields)
        url = "url" if self.has_change_permission(request, obj) else "shown_url"
        editable = [url if name == "url" else name for name in SubscriptionAdminForm.Meta.fields]
        return ["id", *editable, *(name for name in self.readonly_fields if name not in ("id", "shown_url"))]

    def get_readonly_fields(self, request: HttpRequest, obj: Subscription | None = None) -> list[str]:
        return [*self.readonly_fields, "company", "code"] if obj else list(self.readonly_fields)

    def has_change_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        """A placeholder becomes a subscription by an import, or on its page."""
        return super().has_change_permission(request, obj) and not (obj and obj.is_placeholder)

    def has_delete_permission(self, request: HttpRequest, obj: Subscription | None = None) -> bool:
        """Its logs protect it, and Django would list every one of them to say so. Deactivate it instead."""
        return False

    def view_on_site(self, obj: Subscription) -> str:
        return obj.get_absolute_url()

    def formfield_for_foreignkey(self, db_field, request: HttpRequest, **kwargs):
        if db_field.name == "company":
            kwargs["queryset"] = Company.objects.visible_to(request.user)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: Subscription, form: forms.ModelForm, change: bool) -> None:
        """Write only the changed columns: the queue's own columns may change while someone edits."""
        if not change:
            obj.secret = generate_secret()
            super().save_model(request, obj, form, change)
            AuditEntry.record(request.user, AuditAction.SUBSCRIPTION_CREATED, obj.pk)
            AuditEntry.record(request.user, AuditAction.SECRET_CHANGED, obj.pk)
            self.message_user(
                request, gettext("A signing secret was created. You can reveal it on the subscription’s page.")
            )
        elif changed := form.changed_data:
            obj.edited_fields = Subscription.objects.select_for_update().get(pk=obj.pk).edited_fields
            obj.track_edit(changed)
            columns = [*changed, "edited_fields"]
            if "is_active" in changed:
                obj.is_draining = False
                columns.append("is_draining")
            obj.save(update_fields=columns)
            AuditEntry.record(request.user, AuditAction.SUBSCRIPTION_CHANGED, obj.pk, ", ".join(changed))
            obj.notify_workers()

    @admin.display(description=_("URL"))
    def shown_url(self, obj: Subscription) -> str:
        return mask_url(obj.url, masked_keys())

    @admin.display(description=_("signed"), boolean=True)
    def is_signed(self, obj: Subscription) -> bool:
        return bool(obj.encrypted_secret)

    @admin.display(description=_("document"))
    def shown_document(self, obj: Subscription) -> str:
        return format_html('<pre tabindex="0">{}</pre>', format_json(obj.document)) if obj.document else "–"
