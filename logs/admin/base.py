"""What the admin pages share: which rows they show, lists that stay fast on large tables, and stored JSON for reading."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.functional import cached_property
from django.utils.translation import gettext as _

from ..db.timeouts import COUNT_LIMIT, BoundedCount, bounded_count
from ..payloads.exact_json import format_value
from ..payloads.masking import mask_json, masked_keys

MAX_SHOWN_LENGTH = 200_000  # characters


class CappedPaginator(Paginator):
    """Counts up to 10,000 and for at most one second. Rows beyond that are found with search and filters."""

    @cached_property
    def counted(self) -> BoundedCount:
        return bounded_count(self.object_list)  # type: ignore[arg-type]  # the admin passes a queryset

    @cached_property
    def count(self) -> int:
        return COUNT_LIMIT if self.counted.number is None else self.counted.number


class FixedChangeList(ChangeList):
    """Uses an order that has an index, whatever the URL requests."""

    def get_ordering(self, request: HttpRequest, queryset: QuerySet) -> list:
        return list(self.model_admin.ordering or ())


class VisibleAdmin(admin.ModelAdmin):
    """Staff see what the pages would show them: the rows of their companies."""

    def get_queryset(self, request: HttpRequest) -> QuerySet:
        return super().get_queryset(request).visible_to(request.user)  # type: ignore[attr-defined]


class ReadOnlyAdmin(admin.ModelAdmin):
    """Read-only rows of a table that may be large: no count, sort or facet reads all of it."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER
    sortable_by = ()
    ordering = ["-id"]
    list_per_page = 100
    list_max_show_all = 0

    def get_changelist(self, request: HttpRequest, **kwargs) -> type[ChangeList]:
        return FixedChangeList

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj=None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj=None) -> bool:
        return False


def format_json(text: str) -> str:
    """Stored JSON for reading: masked, indented, and cut if it is too long for a page. Numbers stay as they are stored."""
    shown = format_value(mask_json(text, masked_keys()))
    if len(shown) <= MAX_SHOWN_LENGTH:
        return shown
    return _("%(beginning)s\n… The rest isn’t shown here; open the log on the site.") % {
        "beginning": shown[:MAX_SHOWN_LENGTH]
    }
