"""The payload of a log: a chunk of its tree, one value, the download, curl, and revealing masked values."""

from __future__ import annotations

import re
from typing import Any

from django.contrib.auth.decorators import permission_required
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotFound
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from ...models import AuditAction, AuditEntry, WebhookLog
from ...payloads import diff, json_tree
from ...payloads.exact_json import parse_json
from ...payloads.masking import masked_keys
from ..helpers import wants_partial
from .detail_page import event_of, find_context, page_context
from .downloads import curl_of, download_of
from .list_position import ListPosition
from .webhook_logs import visible_log


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_chunk(request: HttpRequest, pk: str) -> HttpResponse:
    """Some children of one node: `?pointer=/data/answers`, with `&start=100` or `&end=100` if not from the first."""
    log, pointer = visible_log(request, pk), request.GET.get("pointer", "")
    event = parse_json(_payload_of(log))
    changed = diff.changed_pointers(event)
    try:
        start, end = _number(request, "start"), _number(request, "end")
        if start is end is None and not wants_partial(request):
            chunk = json_tree.expanded(event, request.GET.get("at", ""), pointer, keys=masked_keys(), changed=changed)
        else:
            chunk = json_tree.child_chunk(
                event, pointer, keys=masked_keys(), changed=changed, start=start or 0, before=end
            )
    except json_tree.PointerError as error:
        return _nothing_there(error)
    context: dict[str, Any] = {"log": log, "chunk": chunk, "pointer": pointer}
    if not wants_partial(request):
        in_list, parent = ListPosition(log, request.GET, request.user), pointer.rpartition("/")[0]
        context |= find_context(request, event, in_list.searched) | {"in_list": in_list, "parent": parent}
        return render(request, "logs/payload/chunk.html", context)
    # The page already shows what comes before or after these.
    context |= {"hides_earlier": start is not None, "hides_later": end is not None}
    return render(request, "logs/payload/_tree_nodes.html", context)


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_value(request: HttpRequest, pk: str) -> HttpResponse:
    """One complete value: a string as plain text, anything else as JSON."""
    log = visible_log(request, pk)
    try:
        text = json_tree.value_text(parse_json(_payload_of(log)), request.GET.get("pointer", ""), masked_keys())
    except json_tree.PointerError as error:
        return _nothing_there(error)
    if wants_partial(request):
        return render(request, "logs/payload/_tree_string.html", {"text": text})
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_download(request: HttpRequest, pk: str) -> HttpResponse:
    log = visible_log(request, pk)
    return download_of(log, _payload_of(log))


@require_safe
@permission_required(["logs.view_webhooklog", "logs.view_payload"], raise_exception=True)
def payload_curl(request: HttpRequest, pk: str) -> HttpResponse:
    log = visible_log(request, pk)
    command = curl_of(log, log.subscription.url, _payload_of(log))
    if not command:
        text = _("The subscription has no URL, so there’s no request to copy.")
        return HttpResponseNotFound(f"{text}\n", content_type="text/plain; charset=utf-8")
    return HttpResponse(f"{command}\n", content_type="text/plain; charset=utf-8")


@require_POST
@permission_required(["logs.view_payload", "logs.reveal_masked"], raise_exception=True)
def reveal_create(request: HttpRequest, pk: str) -> HttpResponse:
    """Show one masked value, and record in the audit log who revealed it."""
    log, pointer = visible_log(request, pk), request.POST.get("pointer", "")
    event = parse_json(_payload_of(log))
    try:
        node = json_tree.build_node(event, pointer, keys=masked_keys(), revealed=frozenset([pointer]))
    except json_tree.PointerError as error:
        return _nothing_there(error)
    AuditEntry.record(request.user, AuditAction.REVEALED, log.pk, pointer)
    if wants_partial(request):
        return render(request, "logs/payload/_tree_node.html", {"log": log, "node": node})
    context: dict[str, Any] = page_context(request, log, "payload", revealed=frozenset([pointer]))
    return render(request, "logs/detail/detail.html", context)


def _payload_of(log: WebhookLog) -> str:
    payload = event_of(log)
    if payload is None:
        raise Http404(_("The payload has expired."))
    return payload


def _number(request: HttpRequest, name: str) -> int | None:
    """Return the index of a child; None if it isn't given. Raises PointerError if it isn't a number."""
    number = request.GET.get(name)
    if number is not None and not re.fullmatch("[0-9]{1,9}", number):
        raise json_tree.PointerError(f"{name}={number[:60]}")
    return None if number is None else int(number)


def _nothing_there(error: json_tree.PointerError) -> HttpResponse:
    text = _("There is nothing at this path in the payload: %(reason)s") % {"reason": error}
    return HttpResponseBadRequest(text, content_type="text/plain; charset=utf-8")  # contains text from the URL
