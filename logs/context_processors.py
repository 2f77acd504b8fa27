"""The webhook context of every page's layout: the counts of the navigation, the demo, and the person's pinned views."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .demo.loading import is_visible_to
from .logsearch import saved_views
from .stats.live_state import cached_counts


def navigation(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", AnonymousUser())
    return {
        "demo_is_loaded": SimpleLazyObject(lambda: is_visible_to(user)),
        "demo_receiver_url": settings.DEMO_RECEIVER_URL,
        "live_counts": SimpleLazyObject(lambda: cached_counts(user)),
        "pinned": SimpleLazyObject(lambda: saved_views.pinned_tabs(user)),
    }
