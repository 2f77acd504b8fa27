"""Companies, and who belongs to them."""

from __future__ import annotations

from django.contrib import admin
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
        """The id is the key: another one would be another company."""
        return ["id"] if obj else []
