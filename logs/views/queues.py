"""The queues: the state of all, the state of one, and what an operator may do with it.

Each action redirects to the page that has its button, or for htmx to the URL of its region.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ..delivery.bulk_skip import skip_waiting
from ..delivery.queue_list import subscriptions_with_queues
from ..delivery.queue_status import queue_status, queue_statuses
from ..forms.base import ReasonForm
from ..forms.list_filters import QueueListForm
from .helpers import back_url, render_region, show_outcome, wants_partial, worker_context
from .subscriptions.subscriptions import visible_subscription


@require_safe
@never_cache
@permission_required(("logs.view_subscription", "logs.view_webhooklog"), raise_exception=True)
def queue_index(request: HttpRequest) -> HttpResponse:
    """A page of the queues that follow the cursor `after`.

    A poll sends what the page shows as `seen`, and gets 204 unless it has changed.
    """
    if set(request.GET) <= {"all", "seen"} and request.GET.get("all") == "1":  # an old URL for all queues
        return redirect("logs:queue_index")
    place = QueueListForm(request.GET)
    context: dict[str, Any] = {"is_update": wants_partial(request), "here": reverse("logs:queue_index")}
    if not place.is_valid():
        context["problem"] = _("This URL is not valid, so no queues are shown.")
        return render_region(request, "queues/list.html", "queues/list.html#content", context, status=422)
    after = place.cleaned_data["after"]
    queues = subscriptions_with_queues(request.user, timezone.now(), after)
    if wants_partial(request) and request.GET.get("seen") == queues.mark:
        return HttpResponse(status=204)
    if after:
        context |= {"after": after.cursor, "here": f"{context['here']}?{urlencode({'after': after.cursor})}"}
    states = queue_statuses([*queues.blocked, *queues.kept])
    blocked, kept = states[: len(queues.blocked)], states[len(queues.blocked) :]
    context |= {"queues": queues, "blocked": blocked, "kept": kept, **worker_context()}
    return render_region(request, "queues/list.html", "queues/list.html#content", context)


@require_safe
@permission_required("logs.view_subscription", raise_exception=True)
def queue_detail(request: HttpRequest, pk: str) -> HttpResponse:
    """The region of the queue, which polls while something waits; without htmx, redirect to its page."""
    subscription = visible_subscription(request, pk)
    if not wants_partial(request):
        return redirect(subscription)
    context = {"subscription": subscription, "queue": queue_status(subscription), "is_update": True}
    return render(request, "queues/_queue.html", context)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def queue_pause(request: HttpRequest, pk: str) -> HttpResponse:
    subscription = visible_subscription(request, pk)
    done = _("The queue of “%(name)s” is paused.") % {"name": subscription}
    show_outcome(request, subscription.pause(by=request.user), done, _("The queue is already paused."))
    return redirect(back_url(request) or subscription)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def queue_resume(request: HttpRequest, pk: str) -> HttpResponse:
    subscription = visible_subscription(request, pk)
    done = _("The queue of “%(name)s” has resumed.") % {"name": subscription}
    show_outcome(request, subscription.resume(by=request.user), done, _("The queue is no longer paused."))
    return redirect(back_url(request) or subscription)


@require_POST
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def queue_send_waiting(request: HttpRequest, pk: str) -> HttpResponse:
    """Send the events that were waiting when the subscription was deactivated."""
    subscription = visible_subscription(request, pk)
    done = _("The waiting events of “%(name)s” are being sent.") % {"name": subscription}
    unchanged = _("The subscription is active, or its waiting events are already being sent.")
    show_outcome(request, subscription.send_waiting(by=request.user), done, unchanged)
    return redirect(back_url(request) or subscription)


@require_http_methods(["GET", "HEAD", "POST"])
@permission_required("logs.redeliver_webhooklog", raise_exception=True)
def queue_skip_waiting(request: HttpRequest, pk: str) -> HttpResponse:
    """Skip the events that were waiting when the subscription was deactivated; ask for the reason first."""
    subscription = visible_subscription(request, pk)
    form = ReasonForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        context = {"form": form, "subscription": subscription, "queue": queue_status(subscription)}
        context["back"] = back_url(request) or subscription.get_absolute_url()
        return render(request, "queues/skip_waiting.html", context, status=422 if form.is_bound else 200)
    skipping = skip_waiting(subscription, by=request.user, reason=form.cleaned_data["reason"])
    if skipping.goes_on:
        messages.info(
            request, _("There are many events, so they are skipped in the background. The queue shows how many so far.")
        )
    elif skipping.number:
        text = ngettext("%(number)s event was skipped.", "%(number)s events were skipped.", skipping.number)
        messages.success(request, text % {"number": skipping.number})
    else:
        messages.info(request, _("Nothing was skipped: no events are waiting, or the subscription is active."))
    return redirect(back_url(request) or subscription)
