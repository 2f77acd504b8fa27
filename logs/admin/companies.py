"""Companies and their users."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.http import HttpRequest

from ..models import Company
from .base import VisibleAdmin


@admin.register(Company)
class CompanyAdmin(VisibleAdmin):
    list_display = ["__str__", "id"]
    search_fields = ["name", "id__exact"]
    fields = ["id", "name", "users"]
    filter_horizontal = ["users"]

    def get_readonly_fields(self, request: HttpRequest, obj: Company | None = None) -> list[str]:
        """The id is the primary key: changing it would make another company."""
        return ["id"] if obj else []

    def formfield_for_manytomany(self, db_field, request: HttpRequest, **kwargs):
        """Offer only users of the user's own companies; all users, if they have permission to view users."""
        if db_field.name == "users" and not request.user.has_perm("auth.view_user"):
            companies = Company.objects.visible_to(request.user)
            kwargs["queryset"] = get_user_model().objects.filter(
                pk__in=Company.users.through.objects.filter(company__in=companies.values("pk")).values("user")
            )
        return super().formfield_for_manytomany(db_field, request, **kwargs)
