"""Descriptions of the search box's fields, for completion and the help."""

from __future__ import annotations

from typing import NamedTuple

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _


class FieldHelp(NamedTuple):
    """`name`: as typed, without the colon. `examples`: searches to try."""

    name: str
    meaning: str | Promise
    examples: tuple[str, ...]


# In the order in which they're offered: the most common searches first.
FIELD_HELP = (
    FieldHelp("state", _("State of the log"), ("state:failed", "-state:delivered")),
    FieldHelp("status", _("HTTP status: a code, a range or a class"), ("status:409", "status:5xx", "status:400..499")),
    FieldHelp("cause", _("Why it failed"), ("cause:timeout", "cause:dns,tls")),
    FieldHelp("sub", _("Name, code or id of the subscription"), ('sub:"work orders"',)),
    FieldHelp("was", _("Failed now or earlier, even if delivered since"), ("was:failed", "-was:failed")),
    FieldHelp(
        "failed",
        _("When an attempt failed, even if delivered since"),
        ("failed:08:00..09:15", 'failed:"yesterday 22:00..today 01:00"', "failed:-2h..", "failed:yesterday"),
    ),
    FieldHelp("incident", _("Number of the incident"), ("incident:12",)),
    FieldHelp("type", _("Event type"), ("type:task", "type:user,survey")),
    FieldHelp("action", _("Action on the object"), ("action:edit",)),
    FieldHelp("duration", _("Duration of the last attempt"), ("duration:>2s", "duration:100ms..1s")),
    FieldHelp("response", _("Words in the response only"), ('response:"bad gateway"',)),
    FieldHelp("data", _("Words at a path in the payload"), ("data.name:118", "/data/tags/0:red", "diff.name:118")),
    FieldHelp("attempts", _("Number of attempts"), ("attempts:>1",)),
    FieldHelp("object", _("Object id"), ("object:62742b7562f37034d9399914",)),
    FieldHelp("id", _("Log id"), ("id:62742dd824c886d54e60f02b",)),
    FieldHelp("company", _("Name or id of the company"), ("company:austral",)),
    FieldHelp("test", _("Whether it is a test event"), ("test:no",)),
    FieldHelp("result", _("Result in Cotalker’s terms"), ("result:failed",)),
    FieldHelp("fingerprint", _("Similar failures, by fingerprint"), ('fingerprint:"Service Unavailable"',)),
)
