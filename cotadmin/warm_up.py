"""Work that a web process does before its first page, so that no page pays for it."""

import gc
from pathlib import Path

from django.conf import settings
from django.db import connections
from django.template.loader import get_template
from django.urls import get_resolver

POOL_SECONDS = 2.5  # to wait for a free connection
RECONNECT_SECONDS = 1  # then the next request reconnects, instead of a background attempt with growing delays
GC_THRESHOLD = 20_000  # objects that were allocated and not freed, before garbage is collected


def warm_up() -> None:
    """Load the URLs and our templates. Then freeze what is in memory, because it stays.

    When garbage collection still scanned these objects, a page now and then took a tenth of a second longer.
    """
    _wait_less_for_the_database()
    get_resolver().reverse_dict  # noqa: B018  # loads all of them
    folder = Path(settings.BASE_DIR, "templates")
    for path in folder.rglob("*.html"):
        engine = "jinja2" if path.name.endswith(".jinja.html") else "django"
        get_template(str(path.relative_to(folder)), using=engine)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_THRESHOLD)


def _wait_less_for_the_database() -> None:
    """A person gets an answer within seconds and can try again; commands and workers wait for half a minute."""
    if pool := connections["default"].settings_dict["OPTIONS"].get("pool"):
        pool |= {"timeout": POOL_SECONDS, "reconnect_timeout": RECONNECT_SECONDS}
