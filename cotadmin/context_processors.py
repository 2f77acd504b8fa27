"""What every page is rendered with."""

from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import SimpleLazyObject

from logs.demo.loading import is_visible_to
from logs.saved_views import navigation

from .preferences import Preferences


def ui(request: HttpRequest) -> dict[str, Any]:
    user = getattr(request, "user", AnonymousUser())
    return {
        "preferences": Preferences.of(request.COOKIES),
        "zone": str(timezone.get_current_timezone()),  # Django's TIME_ZONE calls Etc/GMT+3 "-03"
        "version": settings.VERSION,
        "demo_is_loaded": SimpleLazyObject(lambda: is_visible_to(user)),
        "demo_receiver_url": settings.DEMO_RECEIVER_URL,
        "pinned": SimpleLazyObject(lambda: navigation(user)),
    }
