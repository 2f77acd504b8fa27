"""The fields of the search box in words: what completion and the help say of them."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class FieldWords(NamedTuple):
    """`name`: as it is written, without the colon. `examples`: searches to be tried."""

    name: str
    meaning: str | Promise
    examples: tuple[str, ...]


# In the order in which they are offered: what is asked most, first.
FIELD_WORDS = (
    FieldWords("state", _("Where the log stands"), ("state:failed", "-state:delivered")),
    FieldWords("status", _("The HTTP status, or a class of them"), ("status:409", "status:5xx", "status:400..499")),
    FieldWords("cause", _("Why it failed"), ("cause:timeout", "cause:dns,tls")),
    FieldWords("sub", _("The subscription, by its name, code or id"), ('sub:"work orders"',)),
    FieldWords("type", _("What the event is about"), ("type:task", "type:user,survey")),
    FieldWords("action", _("What happened to it"), ("action:edit",)),
    FieldWords("duration", _("How long the last try took"), ("duration:>2s", "duration:100ms..1s")),
    FieldWords("response", _("Words of the response alone"), ('response:"bad gateway"',)),
    FieldWords("data", _("Words at a place of the payload"), ("data.name:118", "/data/tags/0:red", "diff.name:118")),
    FieldWords("tries", _("How often it was tried"), ("tries:>1",)),
    FieldWords("object", _("The id of what the event is about"), ("object:62742b7562f37034d9399914",)),
    FieldWords("id", _("The id of the log"), ("id:62742dd824c886d54e60f02b",)),
    FieldWords("company", _("The company, by its name or id"), ("company:austral",)),
    FieldWords("test", _("Whether it is a test event"), ("test:no",)),
    FieldWords("result", _("Cotalker's word for the outcome"), ("result:failed",)),
    FieldWords("fingerprint", _("Failures of one kind"), ('fingerprint:"Service Unavailable"',)),
)
