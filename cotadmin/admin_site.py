"""The admin site, stricter than Django's. It covers every model registered on it, whichever package registers it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.exceptions import NotRegistered
from django.contrib.admin.utils import get_fields_from_path
from django.contrib.admin.widgets import AdminSplitDateTime
from django.contrib.auth import REDIRECT_FIELD_NAME
from django.contrib.auth.decorators import login_not_required
from django.contrib.auth.views import redirect_to_login
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db.models import Field, Model
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, URLResolver, path, reverse
from django.utils.translation import gettext as _


class StrictLookupsMixin(admin.ModelAdmin):
    """Limits lookups on columns.

    Django accepts any lookup on any column of a model, so a person who sees a masked response could read it letter by letter.
    """

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Whether the list's filters offer this lookup as a link; the page answers any other lookup with 400."""
        assert request is not None  # Django's list always passes it
        offered = {f"{self.date_hierarchy}__{part}" for part in ("year", "month", "day") if self.date_hierarchy}
        for list_filter in self.get_list_filter(request):
            offered |= {str(name) for name in self._filter(list_filter, request).expected_parameters()}
        return lookup in offered and self._is_choice(lookup, value)

    def _is_choice(self, lookup: str, value: Any) -> bool:
        """Whether `value` is one of the column's choices, if it has any: PostgreSQL raises for a value that its enum lacks."""
        name, _exact, rest = lookup.partition("__exact")
        if rest or not _exact or "__" in name:
            return True
        choices = self.model._meta.get_field(name).flatchoices
        return not choices or value in {str(choice) for choice, _label in choices}

    def _filter(self, offered: Any, request: HttpRequest) -> admin.ListFilter:
        """The filter as Django's list builds it from an empty query. `offered` is an item of `list_filter`."""
        if callable(offered):
            return offered(request, {}, self.model, self)
        name, make = offered if isinstance(offered, (tuple, list)) else (offered, admin.FieldListFilter.create)
        field = get_fields_from_path(self.model, name)[-1]
        return make(field, request, {}, self.model, self, field_path=name)


class LabelledInputsMixin(admin.ModelAdmin):
    """Labels Django's two inputs of a datetime: the words beside them are not labels."""

    def formfield_for_dbfield(self, db_field: Field, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_dbfield(db_field, request, **kwargs)
        if field and isinstance(field.widget, AdminSplitDateTime):
            for widget, name in zip(field.widget.widgets, (_("Date:"), _("Time:")), strict=True):
                widget.attrs["aria-label"] = f"{name} {field.label}"
        return field


class CotadminAdminSite(admin.AdminSite):
    enable_nav_sidebar = False  # with it, lists wrap their text word by word and hide columns

    def register(
        self,
        model_or_iterable: type[Model] | Iterable[type[Model]],
        admin_class: type[admin.ModelAdmin] | None = None,
        **options: Any,
    ) -> None:
        base = admin_class or admin.ModelAdmin
        strict = type(base.__name__, (StrictLookupsMixin, LabelledInputsMixin, base), {"__module__": base.__module__})
        super().register(model_or_iterable, strict, **options)

    def get_urls(self) -> list[URLResolver | URLPattern]:
        view_on_site = self.admin_view(self.view_on_site)
        address = path("r/<path:content_type_id>/<path:object_id>/", view_on_site, name="view_on_site")
        return [address, *super().get_urls()]

    @login_not_required
    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """The project has one sign-in page, with one throttle. A signed-in person without access to the admin gets a 403."""
        if self.has_permission(request):
            return redirect("admin:index")
        if request.user.is_authenticated:
            raise PermissionDenied
        return redirect_to_login(request.GET.get(REDIRECT_FIELD_NAME) or reverse("admin:index"))

    def password_change(  # type: ignore[override]  # redirects to the project's own page
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return redirect("password_change")

    def view_on_site(self, request: HttpRequest, content_type_id: str, object_id: str) -> HttpResponse:
        """Redirect to an object's page. Django's own view doesn't check whether the person may see the object."""
        if not content_type_id.isascii() or not content_type_id.isdecimal():
            raise Http404
        model = (
            get_object_or_404(ContentType, pk=content_type_id).model_class() or Model
        )  # a removed package has no model class
        try:
            model_admin = self.get_model_admin(model)
        except NotRegistered as error:
            raise Http404 from error
        obj = model_admin.get_object(request, object_id)
        if obj is None or not model_admin.has_view_permission(request, obj):
            raise Http404
        if callable(model_admin.view_on_site):
            return redirect(str(model_admin.view_on_site(obj)))
        if not model_admin.view_on_site or not hasattr(obj, "get_absolute_url"):
            raise Http404
        return redirect(obj.get_absolute_url())
