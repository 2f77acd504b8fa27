"""What stands over a ledger: which outcomes can be looked at, and by what it is narrowed down."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _

from ..models import Run, Subscription, Why
from ..redelivery.progress import Numbers, progress_of
from ..redelivery.results import LedgerSearch


@dataclass(frozen=True)
class Tab:
    label: str
    address: str
    number: int
    is_current: bool


@dataclass(frozen=True)
class Narrowed:
    """A condition besides the outcome; `address`: the ledger without it."""

    label: str
    text: str
    address: str


def ledger_context(run: Run, search: LedgerSearch) -> dict[str, Any]:
    """`search`: a valid one. Two queries at most."""
    numbers = progress_of(run).all
    return {
        "tabs": _tabs(run, search, numbers),
        "narrowed": _narrowed(run, search),
        "first_address": search.address(sort=""),
        "last_address": search.address(sort="last"),
    }


def _tabs(run: Run, search: LedgerSearch, numbers: Numbers) -> list[Tab]:
    everything = numbers.total + numbers.left_out + numbers.planned
    found = [("", _("All"), everything), ("left_out", _("Left out"), numbers.left_out)]
    if run.is_plan:
        found[1:1] = [("planned", _("Can be sent"), numbers.planned)]
    else:
        found[1:1] = [
            ("delivered", _("Delivered"), numbers.delivered),
            ("failed", _("Failed"), numbers.failed),
            ("skipped", _("Skipped"), numbers.skipped),
            ("waiting", _("Waiting"), numbers.to_go),
        ]
    shown = search.cleaned_data["show"]
    return [Tab(label, search.address(show=word, why=""), number, word == shown) for word, label, number in found]


def _narrowed(run: Run, search: LedgerSearch) -> list[Narrowed]:
    found, chosen = [], search.cleaned_data
    if chosen["show"] in ("stale", "received"):
        text = _("Stale") if chosen["show"] == "stale" else _("Received before")
        found.append(Narrowed(_("Only"), text, search.address(show="")))
    if why := chosen["why"]:
        found.append(Narrowed(_("Why"), str(dict(Why.choices)[why]), search.address(why="")))
    if lane := chosen["lane"]:
        names = Subscription.objects.filter(pk__in=run.lanes).values_list("name", flat=True)
        found.append(Narrowed(_("Subscription"), names.filter(pk=lane).first() or lane, search.address(lane="")))
    return found
