"""Incidents: the list, the page of one, and what people do with it."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ..delivery.queue_summary import count_queued
from ..forms.incidents import AcknowledgeForm, AssignForm, IncidentListForm, NoteForm
from ..incidents import actions
from ..incidents.contents import boundary_answers, groups_of, objects_of
from ..incidents.listing import add_subscriptions, most_pressing_first
from ..incidents.timeline import timeline_of
from ..models import Incident
from ..redelivery.recovery import recovery_of
from ..stats.receiver_state import receiver_health
from .helpers import live_context, render_region, show_outcome, worker_context

PAGE = 25  # resolved incidents
MAX_UNRESOLVED = 200


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def incident_list(request: HttpRequest) -> HttpResponse:
    """The unresolved incidents, the failing ones first; or those that are ignored or resolved."""
    search = IncidentListForm(request.GET)
    context: dict[str, Any] = {"search": search}
    if search.is_valid():
        context |= live_context(request) | {"now": timezone.now(), **worker_context()}
        context |= _listed(request, search.state_name, search.cleaned_data["before"])
    status = 200 if search.is_valid() else 422
    return render_region(request, "incidents/list.html", "incidents/list.html#content", context, status)


def _listed(request: HttpRequest, state: str, before: int | None) -> dict[str, Any]:
    incidents = Incident.objects.visible_to(request.user).select_related("acknowledged_by", "assignee")
    if state == "resolved":
        resolved = incidents.filter(resolved_at__isnull=False).order_by("-pk")
        rows = list((resolved.filter(pk__lt=before) if before else resolved)[: PAGE + 1])
        shown = rows[:PAGE]
        more = shown[-1].pk if len(rows) > PAGE else None
    else:
        unresolved = incidents.pressing() if state == "open" else incidents.unresolved().exclude(ignored_at=None)
        shown = list(most_pressing_first(unresolved)[:MAX_UNRESOLVED])
        more = None
    add_subscriptions(shown, request.user)
    return {"state": state, "incidents": shown, "next_before": more, "is_cut": len(shown) == MAX_UNRESOLVED}


@require_safe
@permission_required("logs.view_webhooklog", raise_exception=True)
def incident_detail(request: HttpRequest, pk: int) -> HttpResponse:
    return _page(request, visible_incident(request, pk))


def _page(request: HttpRequest, incident: Incident, note: NoteForm | None = None, status: int = 200) -> HttpResponse:
    user = request.user
    add_subscriptions([incident], user)
    receivers = list(receiver_health([row.pk for row in incident.subscriptions], timezone.now()).values())
    count_queued([receiver.subscription for receiver in receivers])
    context = live_context(request) | worker_context()
    context |= {
        "incident": incident,
        "now": timezone.now(),
        "receivers": receivers,
        "groups": groups_of(incident, user),
        "objects": objects_of(incident, user),
        "answers": boundary_answers(incident, user),
        "timeline": timeline_of(incident, user),
        "note_form": note or NoteForm(),
        "acknowledge_form": AcknowledgeForm(),
        "assign_form": AssignForm(users=actions.assignable_users(incident), initial={"assignee": incident.assignee_id}),
        "recovery": None if incident.resolved_at else recovery_of(incident, user),
    }
    return render_region(request, "incidents/detail.html", "incidents/detail.html#content", context, status)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def incident_acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """`take_back`: it counts as open again."""
    incident, form = visible_incident(request, pk), AcknowledgeForm(request.POST)
    if "take_back" in request.POST:
        has_changed = actions.unacknowledge(incident, by=request.user)
        show_outcome(request, has_changed, _("The incident is open again."), _("It was not acknowledged."))
    elif form.is_valid():
        has_changed = actions.acknowledge(incident, form.moment, by=request.user)
        show_outcome(request, has_changed, _("You have acknowledged the incident."), _("It is already resolved."))
    else:
        messages.error(request, _("Choose until when you acknowledge it."))
    return redirect(incident)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def incident_assign(request: HttpRequest, pk: int) -> HttpResponse:
    incident = visible_incident(request, pk)
    form = AssignForm(request.POST, users=actions.assignable_users(incident))
    if form.is_valid():
        has_changed = actions.assign(incident, form.cleaned_data["assignee"], by=request.user)
        show_outcome(request, has_changed, _("The assignee has changed."), _("That was already the assignee."))
    else:
        messages.error(request, _("This person can’t be assigned: they don’t see the incident."))
    return redirect(incident)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def incident_ignore(request: HttpRequest, pk: int) -> HttpResponse:
    """`stop`: it is no longer ignored."""
    incident = visible_incident(request, pk)
    if "stop" in request.POST:
        has_changed = actions.stop_ignoring(incident, by=request.user)
        show_outcome(request, has_changed, _("The incident is no longer ignored."), _("It was not ignored."))
    else:
        has_changed = actions.ignore(incident, by=request.user)
        done = _("The incident is ignored until it has another cause or another subscription.")
        show_outcome(request, has_changed, done, _("It is already ignored or resolved."))
    return redirect(incident)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def incident_note(request: HttpRequest, pk: int) -> HttpResponse:
    incident, form = visible_incident(request, pk), NoteForm(request.POST)
    if not form.is_valid():
        return _page(request, incident, form, 422)
    actions.add_note(incident, form.cleaned_data["text"], by=request.user)
    return redirect(f"{incident.get_absolute_url()}#timeline")


def visible_incident(request: HttpRequest, pk: int) -> Incident:
    """Return the incident; 404 if it doesn't exist or the user may not see it."""
    visible = Incident.objects.visible_to(request.user).select_related("company", "acknowledged_by", "assignee")
    return get_object_or_404(visible, pk=pk)
