"""The webhook context of every page's layout: the navigation and its counts, the demo, and the person's pinned views."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import Promise, SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from .demo.loading import is_visible_to
from .logsearch import saved_views
from .stats.live_state import cached_counts


class Tab(NamedTuple):
    """A page of the navigation. It is the active tab of every page whose URL name begins with one of `prefixes`."""

    title: Promise
    url_name: str
    permissions: tuple[str, ...]
    prefixes: tuple[str, ...]
    count_template: str = ""  # shows a number beside the title


_LOGS, _SUBSCRIPTIONS = "logs.view_webhooklog", "logs.view_subscription"
_OF_A_LOG = ("log_", "object_", "override_", "payload_", "redelivery_", "selection_", "share_link_")
# In the order in which a morning needs them.
TABS = (
    Tab(_("Overview"), "overview", (_LOGS,), ("overview",)),
    Tab(_("Failures"), "failure_list", (_LOGS,), ("failure_",)),
    Tab(_("Logs"), "webhook_log_list", (_LOGS,), ("webhook_log_", *_OF_A_LOG)),
    Tab(_("Queues"), "queue_index", (_LOGS, _SUBSCRIPTIONS), ("queue_index",), "components/_live_queues.html"),
    Tab(
        _("Redeliveries"),
        "bulk_redelivery_list",
        (_LOGS,),
        ("bulk_redelivery_",),
        "components/_live_bulk_redeliveries.html",
    ),
    # The queue of one subscription is a part of its page.
    Tab(_("Subscriptions"), "subscription_list", (_SUBSCRIPTIONS,), ("subscription_", "queue_", "receiver_")),
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


def build_navigation(request: HttpRequest) -> Navigation:
    match = request.resolver_match
    active = active_tab(match.url_name or "") if match and match.app_name == "logs" else None

    def pages(tabs: tuple[Tab, ...]) -> list[NavigationPage]:
        return [
            NavigationPage(tab.title, reverse(f"logs:{tab.url_name}"), tab is active, tab.count_template)
            for tab in tabs
            if request.user.has_perms(tab.permissions)
        ]

    return Navigation(pages(TABS), pages(MENU_TABS))


def navigation(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", AnonymousUser())
    return {
        "demo_is_loaded": SimpleLazyObject(lambda: is_visible_to(user)),
        "demo_receiver_url": settings.DEMO_RECEIVER_URL,
        "live_counts": SimpleLazyObject(lambda: cached_counts(user)),
        "navigation": SimpleLazyObject(lambda: build_navigation(request)),
        "pinned": SimpleLazyObject(lambda: saved_views.pinned_tabs(user)),
    }
