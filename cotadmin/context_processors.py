"""The template context that every page gets."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.utils import timezone

from .preferences import Preferences


def ui(request: HttpRequest) -> dict[str, Any]:
    return {
        "preferences": Preferences.of(request.COOKIES),
        "zone": str(timezone.get_current_timezone()),  # Django's TIME_ZONE calls Etc/GMT+3 "-03"
        "version": settings.VERSION,
    }
