"""Saved views of the explorer: the list of them, and the actions on one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..forms.saved_view import SavedViewForm
from ..logsearch.saved_views import (
    MAX_PINNED,
    default_tabs,
    pin,
    pinned_tabs,
    refresh_counts,
    summarize_view,
    valid_query,
    without_invalid,
)
from ..models import SavedView

MOST_SHARED = 200  # on the page


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def saved_view_list(request: HttpRequest) -> HttpResponse:
    visible = SavedView.objects.visible_to(request.user).with_is_pinned(request.user).select_related("owner")
    own, shared = visible.filter(owner=request.user), visible.exclude(owner=request.user)[:MOST_SHARED]
    context = {
        "own": [summarize_view(view, request.user) for view in own],
        "shared": [summarize_view(view, request.user) for view in shared],
    }
    return render(request, "saved_views/list.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.view_webhooklog", raise_exception=True)
def saved_view_create(request: HttpRequest) -> HttpResponse:
    """Create a view from the form in the explorer; show the form here if it has errors. `?…`: the filter of the new view."""
    if request.method != "POST":
        return _form_page(request, SavedViewForm(user=request.user, initial={"query": request.GET.urlencode()}))
    form = SavedViewForm(request.POST, user=request.user)
    if not form.store():
        return _form_page(request, form, status=422)
    messages.success(request, _("The view “%(name)s” was saved.") % {"name": form.instance})
    _warn_of_full_navigation(request, form.is_navigation_full)
    return redirect(form.instance)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.view_webhooklog", raise_exception=True)
def saved_view_edit(request: HttpRequest, pk: int) -> HttpResponse:
    view = _changeable(request, pk)
    if request.method != "POST":
        return _form_page(request, SavedViewForm(user=request.user, instance=view))
    form = SavedViewForm(request.POST, user=request.user, instance=view)
    if not form.store():
        return _form_page(request, form, status=422)
    messages.success(request, _("The view “%(name)s” was changed.") % {"name": form.instance})
    _warn_of_full_navigation(request, form.is_navigation_full)
    return redirect("logs:saved_view_list")


@require_POST
@permission_required("logs.view_webhooklog", raise_exception=True)
def saved_view_filter(request: HttpRequest, pk: int) -> HttpResponse:
    """Replace the filter of a view."""
    view = _changeable(request, pk)
    try:
        view.query = valid_query(request.POST.get("query", ""), request.user)
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
        return redirect("logs:saved_view_edit", view.pk)
    view.save(update_fields=["query", "updated_at"])
    messages.success(request, _("The view “%(name)s” now has a different filter.") % {"name": view})
    return redirect(view)


@require_POST
@permission_required("logs.view_webhooklog", raise_exception=True)
def saved_view_pin(request: HttpRequest, pk: int, is_pinned: bool) -> HttpResponse:
    """Pin the view to the user's own navigation, or unpin it; nobody else is affected."""
    view = get_object_or_404(SavedView.objects.visible_to(request.user), pk=pk)
    if is_pinned:
        _warn_of_full_navigation(request, not pin(view, request.user))
    else:
        view.pinned_by.remove(request.user)
    return redirect("logs:saved_view_list")


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.view_webhooklog", raise_exception=True)
def saved_view_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Delete a view, after confirmation: a shared view disappears for everyone."""
    view = _changeable(request, pk)
    if request.method != "POST":
        others = sum(user != request.user for user in view.pinned_by.all())
        context = {"summary": summarize_view(view, request.user), "others": others}
        return render(request, "saved_views/delete.html", context)
    view.delete()
    messages.success(request, _("The view “%(name)s” was deleted. Its logs were not affected.") % {"name": view})
    return redirect("logs:saved_view_list")


@require_safe
@never_cache
@permission_required("logs.view_webhooklog", raise_exception=True)
def saved_view_counts(request: HttpRequest) -> HttpResponse:
    """The counts of the pinned views in the navigation. `?tabs`: also those of the default views."""
    tabs = [*(default_tabs() if "tabs" in request.GET else ()), *pinned_tabs(request.user).tabs]
    counts = refresh_counts([tab.query for tab in tabs], request.user)
    return render(request, "saved_views/counts.html", {"counts": [(tab.key, counts.get(tab.query)) for tab in tabs]})


def _changeable(request: HttpRequest, pk: int) -> SavedView:
    """Return the view; 404 if it doesn't exist or the user may not change it.

    A shared view can be changed by its owner or a superuser.
    """
    return get_object_or_404(SavedView.objects.editable_by(request.user).select_related("owner"), pk=pk)


def _form_page(request: HttpRequest, form: SavedViewForm, status: int = 200) -> HttpResponse:
    view = form.instance
    if form.is_new:
        view = SavedView(query=form["query"].value() or "")
    summary = summarize_view(view, request.user)
    context: dict[str, Any] = {"form": form, "summary": summary}
    if not form.is_new and summary.problems:
        context["repaired_query"] = without_invalid(view.query, request.user)
    return render(request, "saved_views/form.html", context, status=status)


def _warn_of_full_navigation(request: HttpRequest, is_full: bool) -> None:
    if is_full:
        text = _("The view was not pinned: you already have %(number)s pinned views, the maximum. Unpin one first.")
        messages.warning(request, text % {"number": MAX_PINNED})
