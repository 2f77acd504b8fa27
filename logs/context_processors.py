"""The webhook context of every page's layout: the demo, and the person's pinned views."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from .demo.loading import is_visible_to
from .logsearch import saved_views


def navigation(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", AnonymousUser())
    return {
        "demo_is_loaded": SimpleLazyObject(lambda: is_visible_to(user)),
        "demo_receiver_url": settings.DEMO_RECEIVER_URL,
        "pinned": SimpleLazyObject(lambda: saved_views.pinned_tabs(user)),
    }
