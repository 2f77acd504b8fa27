"""The navigation: the pages in the bar and in its menu, in order, and which of them is the active tab of a page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from django import template
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class Tab(NamedTuple):
    """A page of the navigation. It is the active tab of every page whose URL name begins with one of `prefixes`."""

    title: Promise
    url_name: str
    permissions: tuple[str, ...]
    prefixes: tuple[str, ...]
    key: str = ""  # opens it after g
    count_template: str = ""  # shows a number beside the title


register = template.Library()

_LOGS, _SUBSCRIPTIONS = "logs.view_webhooklog", "logs.view_subscription"
_OF_A_LOG = ("log_", "object_", "override_", "payload_", "redelivery_", "selection_", "share_link_")
# In the order in which a morning needs them.
TABS = (
    Tab(_("Overview"), "overview", (_LOGS,), ("overview",), "o"),
    Tab(_("Incidents"), "incident_list", (_LOGS,), ("incident_",), "i", "components/_live_incidents.html"),
    Tab(_("Logs"), "webhook_log_list", (_LOGS,), ("webhook_log_", *_OF_A_LOG), "l"),
    Tab(_("Queues"), "queue_index", (_LOGS, _SUBSCRIPTIONS), ("queue_index",), "q", "components/_live_queues.html"),
    Tab(
        _("Redeliveries"),
        "bulk_redelivery_list",
        (_LOGS,),
        ("bulk_redelivery_",),
        "r",
        "components/_live_bulk_redeliveries.html",
    ),
    # The queue of one subscription is a part of its page.
    Tab(_("Subscriptions"), "subscription_list", (_SUBSCRIPTIONS,), ("subscription_", "queue_", "receiver_"), "s"),
)
MENU_TABS = (
    Tab(_("Saved views"), "saved_view_list", (_LOGS,), ("saved_view_",)),
    Tab(_("Import"), "import_list", ("logs.add_webhooklog",), ("import_",)),
    Tab(_("Inbound endpoints"), "inbound_endpoint_list", ("logs.view_inboundendpoint",), ("inbound_endpoint_",)),
    Tab(_("Retention"), "retention_detail", ("logs.change_retention",), ("retention_",)),
)


def active_tab(url_name: str) -> Tab | None:
    """Return the tab to which a page belongs, None if to none. Of several, the first counts."""
    return next((tab for tab in TABS + MENU_TABS if url_name.startswith(tab.prefixes)), None)


@dataclass(frozen=True)
class NavigationPage:
    """A tab as a link."""

    title: Promise
    address: str
    is_current: bool
    key: str
    count_template: str


@dataclass(frozen=True)
class Navigation:
    """What a person may open: the `pages` in the bar, and `others` in its menu."""

    pages: list[NavigationPage]
    others: list[NavigationPage]

    @property
    def is_in_menu(self) -> bool:
        """Whether the current page is one of the menu."""
        return any(page.is_current for page in self.others)


@register.simple_tag(takes_context=True)
def navigation(context: template.Context) -> Navigation:
    """`{% navigation as navigation %}`: what the person may open, and where they are."""
    request = context["request"]
    match = request.resolver_match
    active = active_tab(match.url_name or "") if match and match.app_name == "logs" else None

    def pages(tabs: tuple[Tab, ...]) -> list[NavigationPage]:
        return [
            NavigationPage(tab.title, reverse(f"logs:{tab.url_name}"), tab is active, tab.key, tab.count_template)
            for tab in tabs
            if request.user.has_perms(tab.permissions)
        ]

    return Navigation(pages(TABS), pages(MENU_TABS))
