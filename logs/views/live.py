"""What every page asks every few seconds, while it is visible: has anything changed?"""

from django.contrib.auth.decorators import permission_required
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..forms.list_filters import LiveForm
from ..stats.live_state import live_state

STALE = "stale"  # the event that a region waits for to refresh itself


@require_safe
@never_cache
@permission_required("logs.view_webhooklog", raise_exception=True)
def live(request: HttpRequest) -> HttpResponse:
    """The counts of the navigation, out of band; 204 if the page shows them already.

    `seen`: the mark of the counts that it shows. `shown`: the mark of its region. If that is stale, the response says so.
    """
    form = LiveForm(request.GET)
    if not form.is_valid():
        return HttpResponseBadRequest()
    state = live_state(request.user)
    if form.cleaned_data["seen"] == state.counts.mark:
        response = HttpResponse(status=204)
    else:
        response = render(request, "components/_live_update.html", {"live_counts": state.counts})
    if form.cleaned_data["shown"] not in ("", state.mark):
        response["HX-Trigger"] = STALE
    return response
