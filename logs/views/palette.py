"""The palette: what a person can open by typing a part of its name, or its id."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from django.contrib.auth.decorators import permission_required
from django.contrib.auth.models import AnonymousUser, User
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ..cotalker.objectid import is_objectid
from ..forms.base import MAX_ID
from ..forms.palette import PaletteForm
from ..incidents.listing import most_pressing_first
from ..logsearch.saved_views import default_tabs
from ..models import BulkRedelivery, Incident, SavedView, Subscription, WebhookLog
from ..templatetags.navigation import MENU_TABS, TABS

MAX_OPTIONS = 9  # of each kind
# Title, URL name and permissions of each page: those of the navigation in its order, then others.
PAGES: list[tuple[Promise, str, tuple[str, ...]]] = [
    *((tab.title, f"logs:{tab.url_name}", tab.permissions) for tab in (*TABS, *MENU_TABS)),
    (gettext_lazy("Redeliver by id"), "logs:bulk_redelivery_new", ("logs.redeliver_webhooklog",)),
    (gettext_lazy("New subscription"), "logs:subscription_create", ("logs.add_subscription",)),
    (gettext_lazy("Preferences"), "preferences", ()),
    (gettext_lazy("Password"), "password_change", ()),
]


@dataclass(frozen=True)
class Option:
    label: str
    kind: str
    url: str


@require_safe
@never_cache
@permission_required("logs.view_webhooklog", raise_exception=True)
def palette(request: HttpRequest) -> HttpResponse:
    """The options of the listbox; none if the text is invalid."""
    form = PaletteForm(request.GET)
    if not form.is_valid():
        return render(request, "palette/_options.html", status=422)
    text, user = form.cleaned_data["q"], request.user
    kinds = [
        _ids(text, user),
        _incidents(text, user),
        _pages(text, user),
        _saved_views(text, user),
        _subscriptions(text, user),
    ]
    options = [option for kind in kinds for option in islice(kind, MAX_OPTIONS)]
    return render(request, "palette/_options.html", {"options": options, "text": text})


def _ids(text: str, user: User | AnonymousUser) -> Iterator[Option]:
    if is_objectid(text):
        log_id = text.lower()
        logs = WebhookLog.objects.visible_to(user)
        if logs.filter(pk=log_id).exists():
            url = reverse("logs:webhook_log_detail", args=[log_id])
            yield Option(_("Open log %(id)s") % {"id": log_id}, _("Log"), url)
        if logs.for_object(log_id).exists():
            url = reverse("logs:object_detail", args=[log_id])
            yield Option(_("Open object %(id)s") % {"id": log_id}, _("Object"), url)
    elif text.isascii() and text.isdigit() and int(text) <= MAX_ID:
        for incident in Incident.objects.visible_to(user).filter(pk=int(text)):
            yield Option(_incident_label(incident), _("Incident"), incident.get_absolute_url())
        for bulk in BulkRedelivery.objects.visible_to(user).filter(pk=int(text)).only("pk"):
            label = _("Open bulk redelivery %(number)s") % {"number": bulk.pk}
            yield Option(label, _("Bulk redelivery"), bulk.get_absolute_url())


def _incidents(text: str, user: User | AnonymousUser) -> Iterator[Option]:
    """The open ones."""
    for incident in most_pressing_first(Incident.objects.visible_to(user).pressing())[: 5 * MAX_OPTIONS]:
        if _is_part(text, _incident_label(incident)):
            yield Option(_incident_label(incident), _("Incident"), incident.get_absolute_url())


def _incident_label(incident: Incident) -> str:
    return f"{incident} · {incident.receiver_name}"


def _pages(text: str, user: User | AnonymousUser) -> Iterator[Option]:
    for label, url_name, permissions in PAGES:
        if _is_part(text, str(label)) and user.has_perms(permissions):
            yield Option(str(label), _("Page"), reverse(url_name))
    if user.is_staff and _is_part(text, _("Administration")):
        yield Option(_("Administration"), _("Page"), reverse("admin:index"))


def _saved_views(text: str, user: User | AnonymousUser) -> Iterator[Option]:
    """The pinned views. With a text: also the user's own, and those that everybody has."""
    views = SavedView.objects.pinned_by(user)
    if text:
        for tab in default_tabs():
            if _is_part(text, tab.name):
                yield Option(tab.name, _("Saved view"), tab.address)
        own_or_pinned = Q(owner=user.pk) | Q(pk__in=views.values("pk"))
        views = SavedView.objects.visible_to(user).filter(own_or_pinned, name__icontains=text)
    for view in views[:MAX_OPTIONS]:
        yield Option(view.name, _("Saved view"), view.get_absolute_url())


def _subscriptions(text: str, user: User | AnonymousUser) -> Iterator[Option]:
    if text and user.has_perm("logs.view_subscription"):
        for subscription in Subscription.objects.visible_to(user).named(text).only("name", "code")[:MAX_OPTIONS]:
            yield Option(subscription.name, _("Subscription"), subscription.get_absolute_url())


def _is_part(text: str, label: str) -> bool:
    """Whatever the accents and capitals."""
    return _plain(text) in _plain(label)


def _plain(text: str) -> str:
    decomposed = unicodedata.normalize("NFD", text)
    return "".join(character for character in decomposed if not unicodedata.combining(character)).casefold()
