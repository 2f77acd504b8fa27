"""The fields of the search box in words: what completion and the help say of them."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class FieldHelp(NamedTuple):
    """`name`: as it is written, without the colon. `examples`: searches to be tried."""

    name: str
    meaning: str | Promise
    examples: tuple[str, ...]


# In the order in which they are offered: what is asked most, first.
FIELD_HELP = (
    FieldHelp("state", _("Where the log stands"), ("state:failed", "-state:delivered")),
    FieldHelp("status", _("The HTTP status, or a class of them"), ("status:409", "status:5xx", "status:400..499")),
    FieldHelp("cause", _("Why it failed"), ("cause:timeout", "cause:dns,tls")),
    FieldHelp("sub", _("The subscription, by its name, code or id"), ('sub:"work orders"',)),
    FieldHelp("type", _("What the event is about"), ("type:task", "type:user,survey")),
    FieldHelp("action", _("What happened to it"), ("action:edit",)),
    FieldHelp("duration", _("How long the last try took"), ("duration:>2s", "duration:100ms..1s")),
    FieldHelp("response", _("Words of the response alone"), ('response:"bad gateway"',)),
    FieldHelp("data", _("Words at a place of the payload"), ("data.name:118", "/data/tags/0:red", "diff.name:118")),
    FieldHelp("tries", _("How often it was tried"), ("tries:>1",)),
    FieldHelp("object", _("The id of what the event is about"), ("object:62742b7562f37034d9399914",)),
    FieldHelp("id", _("The id of the log"), ("id:62742dd824c886d54e60f02b",)),
    FieldHelp("company", _("The company, by its name or id"), ("company:austral",)),
    FieldHelp("test", _("Whether it is a test event"), ("test:no",)),
    FieldHelp("result", _("Cotalker's word for the outcome"), ("result:failed",)),
    FieldHelp("fingerprint", _("Failures of one kind"), ('fingerprint:"Service Unavailable"',)),
)
