"""What a process that serves pages does before the first of them and between them, so that no page pays for it."""

import gc
from pathlib import Path

from django.conf import settings
from django.db import connections
from django.template.loader import get_template
from django.urls import get_resolver

POOL_SECONDS = 2.5  # for a free connection
RECONNECT_SECONDS = 1  # then the next request tries by itself, instead of one that waits longer each time
# Objects that came and did not go by themselves: a page leaves some 500.
GC_THRESHOLD = 20_000
GC_HARD_THRESHOLD = 200_000  # with so much it is looked for at once, in the midst of a page


def warm_up() -> None:
    """Read the addresses and our templates. What is in memory then stays, so it is not looked through for what could be freed:
    that took a tenth of a second of a page now and then.
    """
    _wait_less_for_the_database()
    get_resolver().reverse_dict  # noqa: B018  # reads them all
    folder = Path(settings.BASE_DIR, "templates")
    for path in folder.rglob("*.html"):
        get_template(str(path.relative_to(folder)))
    gc.collect()
    gc.freeze()
    gc.set_threshold(GC_HARD_THRESHOLD)


def _wait_less_for_the_database() -> None:
    """A person is answered within seconds, and tries again; a command or a worker waits for half a minute."""
    if pool := connections["default"].settings_dict["OPTIONS"].get("pool"):
        pool |= {"timeout": POOL_SECONDS, "reconnect_timeout": RECONNECT_SECONDS}


def collect_garbage() -> None:
    """Once a page is sent. To look for garbage takes some 6 ms, which would come into the midst of a page now and then."""
    if gc.get_count()[0] > GC_THRESHOLD:
        gc.collect()
