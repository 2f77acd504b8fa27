"""The payload of a log: a chunk of its tree, a long string, the download, curl, and revealing what is masked."""

from __future__ import annotations

import shlex
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ..delivery.exchange import USER_AGENT
from ..masked_keys import masked_keys
from ..models import AuditAction, AuditEntry, Payload, WebhookLog
from ..payloads import changes, masking, tree
from .log_page import log_context
from .rendering import wants_partial
from .webhook_logs import visible_log

CURL_LIMIT = 100_000  # a shell takes about 128 KB in one argument


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_chunk(request: HttpRequest, pk: str) -> HttpResponse:
    """The children of one node, 100 at a time: `?pointer=/data/answers&start=100`."""
    log = visible_log(request, pk)
    event = tree.parse(_event_of(log))
    try:
        start = int(request.GET.get("start", "0"))
        pointer = request.GET.get("pointer", "")
        chunk = tree.children(
            event, pointer, keys=masked_keys(), start=max(start, 0), changed=changes.changed_pointers(event)
        )
    except (tree.PointerError, ValueError) as error:
        return HttpResponseBadRequest(
            _("There is nothing at this place of the payload: %(reason)s") % {"reason": error}
        )
    template = "logs/_tree_nodes.html" if wants_partial(request) else "logs/payload_chunk.html"
    return render(request, template, {"log": log, "chunk": chunk, "pointer": pointer})


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_string(request: HttpRequest, pk: str) -> HttpResponse:
    """A string that the tree had cut, whole."""
    log = visible_log(request, pk)
    try:
        text = tree.full_string(tree.parse(_event_of(log)), request.GET.get("pointer", ""), masked_keys())
    except tree.PointerError as error:
        return HttpResponseBadRequest(
            _("There is nothing at this place of the payload: %(reason)s") % {"reason": error}
        )
    if wants_partial(request):
        return render(request, "logs/_tree_string.html", {"text": text})
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_download(request: HttpRequest, pk: str) -> HttpResponse:
    log = visible_log(request, pk)
    response = HttpResponse(masking.mask_json(_event_of(log), masked_keys()), content_type="application/json")
    response["Content-Disposition"] = f'attachment; filename="{log.pk}.json"'
    return response


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_curl(request: HttpRequest, pk: str) -> HttpResponse:
    """A command that posts the event, with masked values masked, quoted for a shell."""
    log = visible_log(request, pk)
    event = masking.mask_json(_event_of(log), masked_keys())
    body = ["--data-binary", event] if len(event.encode()) <= CURL_LIMIT else ["--data-binary", f"@{log.pk}.json"]
    headers = {"content-type": "application/json", "user-agent": USER_AGENT, "webhook-id": log.pk}
    arguments = ["curl", "--request", "POST", masking.mask_url(log.subscription.url, masked_keys())]
    for name, value in headers.items():
        arguments += ["--header", f"{name}: {value}"]
    return HttpResponse(shlex.join([*arguments, *body]) + "\n", content_type="text/plain; charset=utf-8")


@require_POST
@permission_required(["logs.view_payload", "logs.reveal_masked"], raise_exception=True)
def reveal_create(request: HttpRequest, pk: str) -> HttpResponse:
    """Show one masked value, and write down who looked."""
    log, pointer = visible_log(request, pk), request.POST.get("pointer", "")
    event = tree.parse(_event_of(log))
    try:
        node = tree.node(event, pointer, keys=masked_keys(), revealed=frozenset([pointer]))
    except tree.PointerError as error:
        return HttpResponseBadRequest(
            _("There is nothing at this place of the payload: %(reason)s") % {"reason": error}
        )
    AuditEntry.record(request.user, AuditAction.REVEALED, log.pk, pointer)
    if wants_partial(request):
        return render(request, "logs/_tree_node.html", {"log": log, "node": node})
    context: dict[str, Any] = log_context(request, log, "payload", revealed=frozenset([pointer]))
    return render(request, "logs/webhook_log_detail.html", context)


def _event_of(log: WebhookLog) -> str:
    event = Payload.objects.filter(pk=log.pk).values_list("event", flat=True).first()
    if event is None:
        raise Http404(_("The payload has expired."))
    return event
