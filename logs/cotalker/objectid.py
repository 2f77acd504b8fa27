"""ObjectIds: 24 hex digits. The first eight are the creation time in seconds, so sorting by id sorts by time.

Source: the BSON specification; Cotalker's published samples follow it.
"""

import os
import re
import threading
import time
from datetime import UTC, datetime
from itertools import count

from django.utils.translation import gettext as _

OBJECTID_LENGTH = 24
_PATTERN = re.compile(r"[0-9a-f]{24}")
_process = os.urandom(5).hex()
_counter = count(int.from_bytes(os.urandom(3)))
_lock = threading.Lock()


def parse_objectid(value: object) -> str:
    """The id in lower case; ValueError if it isn't 24 hex digits."""
    if isinstance(value, str) and _PATTERN.fullmatch(lower := value.lower()):
        return lower
    raise ValueError(_("not an ObjectId of 24 hex digits: '%(value)s'") % {"value": str(value)[:60]})


def is_objectid(value: object) -> bool:
    return isinstance(value, str) and bool(_PATTERN.fullmatch(value.lower()))


def new_objectid(at: datetime | None = None) -> str:
    """A new id, unique across processes, with the creation time `at` (now by default)."""
    seconds = int(at.timestamp() if at else time.time())
    with _lock:
        number = next(_counter) & 0xFFFFFF
    return f"{seconds:08x}{_process}{number:06x}"


def lowest_objectid(at: datetime) -> str:
    """The lowest id of that second: no id created at `at` or later is below it."""
    return f"{int(at.timestamp()):08x}{'0' * 16}"


def objectid_time(objectid: str) -> datetime:
    """When the id was created, to the second, in UTC."""
    return datetime.fromtimestamp(int(objectid[:8], 16), UTC)
