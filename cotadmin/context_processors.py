"""What every page is rendered with."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils.functional import SimpleLazyObject

from logs.demo.loading import is_visible_to
from logs.saved_views import navigation


def ui(request: HttpRequest) -> dict[str, Any]:
    """The person's choices that a cookie keeps; anything but the known words is as if it were not there."""
    theme = request.COOKIES.get("theme")
    user = getattr(request, "user", AnonymousUser())
    return {
        "theme": theme if theme in ("light", "dark") else "",
        "shortcuts": "off" if request.COOKIES.get("shortcuts") == "off" else "on",
        "version": settings.VERSION,
        "demo_is_loaded": SimpleLazyObject(lambda: is_visible_to(user)),
        "demo_receiver_url": settings.DEMO_RECEIVER_URL,
        "pinned": SimpleLazyObject(lambda: navigation(user)),
    }
