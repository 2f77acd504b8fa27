"""API tokens and inbound endpoints: the credentials that send events to cotadmin.

A token is shown once. None is ever deleted, so that its history stays.
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from ..ingest import credentials
from ..models import ApiToken, Company, InboundEndpoint, UnmatchedCount
from .base import ReadOnlyAdmin, VisibleAdmin

_SHOWN = ["shown_hint", "created_by", "created_at", "last_used_at", "revoked_at"]


class CredentialAdmin(admin.ModelAdmin):
    """What inbound endpoints and API tokens share."""

    list_filter = [("revoked_at", admin.EmptyFieldListFilter)]
    search_fields = ["name"]
    ordering = ["-created_at", "-id"]
    actions = ["revoke_selected"]
    show_full_result_count = False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(f"logs.change_{self.opts.model_name}")

    @admin.action(description=_("Revoke selected"), permissions=["revoke"])
    def revoke_selected(self, request: HttpRequest, queryset: QuerySet) -> None:
        number = sum(credentials.revoke_credential(credential, by=request.user) for credential in queryset)
        text = ngettext("%(number)s was revoked.", "%(number)s were revoked.", number) % {"number": number}
        self.message_user(request, text, messages.SUCCESS if number else messages.WARNING)

    @admin.display(description=_("ends in"))
    def shown_hint(self, obj: ApiToken | InboundEndpoint) -> str:
        return f"…{obj.hint}"


@admin.register(ApiToken)
class ApiTokenAdmin(CredentialAdmin):
    list_display = ["name", "shown_companies", *_SHOWN]
    filter_horizontal = ["companies"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        """Only tokens whose companies all belong to the user: a token is shown and revoked as a whole."""
        tokens = super().get_queryset(request).select_related("created_by").prefetch_related("companies")
        if request.user.is_superuser:
            return tokens
        own = Company.objects.visible_to(request.user)
        others = Company.objects.exclude(pk__in=own.values("pk"))
        shared = ApiToken.companies.through.objects.filter(company__in=others.values("pk"))
        return tokens.filter(companies__in=own).exclude(pk__in=shared.values("apitoken")).distinct()

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[Any]:
        return ["name", "shown_companies", *_SHOWN] if obj else ["name", "companies"]

    def get_readonly_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> list[str]:
        return ["shown_companies", *_SHOWN] if obj else []

    def formfield_for_manytomany(self, db_field, request: HttpRequest, **kwargs):
        kwargs["queryset"] = Company.objects.visible_to(request.user)
        return super().formfield_for_manytomany(db_field, request, **kwargs)

    def save_model(self, request: HttpRequest, obj: ApiToken, form: forms.ModelForm, change: bool) -> None:
        if change:
            obj.save(update_fields=["name"])
            return
        token = credentials.create_api_token(obj, form.cleaned_data["companies"], by=request.user)
        text = gettext("Copy this token now. It’s shown only once: %(token)s") % {"token": token}
        self.message_user(request, text, messages.WARNING)

    @admin.display(description=_("companies"))
    def shown_companies(self, obj: ApiToken) -> str:
        return ", ".join(str(company) for company in obj.companies.all())


@admin.register(InboundEndpoint)
class InboundEndpointAdmin(VisibleAdmin, CredentialAdmin):
    """Inbound endpoints are created on their own page, which shows the URL and says what to do with it."""

    list_display = ["name", "company", *_SHOWN]
    list_select_related = ["company", "created_by"]
    fields = ["name", "company", *_SHOWN]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: InboundEndpoint | None = None) -> bool:
        return False


@admin.register(UnmatchedCount)
class UnmatchedCountAdmin(VisibleAdmin, ReadOnlyAdmin):
    list_display = ["day", "company", "event_type", "action", "count"]
    list_select_related = ["company"]
    list_filter = ["day"]
    fields = ["day", "company", "event_type", "action", "count"]
