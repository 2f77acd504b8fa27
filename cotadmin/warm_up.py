"""What a process that serves pages does before the first of them, so that no page pays for it."""

import gc
from pathlib import Path

from django.conf import settings
from django.template.loader import get_template
from django.urls import get_resolver

GARBAGE = 20_000


def warm_up() -> None:
    """Read the addresses and our templates. What is in memory then stays, so it is not looked through for what could be freed:
    that took a tenth of a second of a page now and then. What comes later is looked through every GARBAGE objects: a page makes
    some 50,000, and nearly all of them go by themselves.
    """
    get_resolver().reverse_dict  # noqa: B018  # reads them all
    folder = Path(settings.BASE_DIR, "templates")
    for path in folder.rglob("*.html"):
        get_template(str(path.relative_to(folder)))
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)
