"""COTWebhook, COTEvent and COTWebhookLog: only this module knows Cotalker's JSON.

Documents are validated, never re-serialised: an event keeps its bytes. Fields that have no column are stored in `extra` (logs)
or `document` (subscriptions). So an exported document is equal to the imported one. Source of the shapes: Cotalker's published
model pages. `data` of an event is open-ended, so nothing here depends on a closed list of fields.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from django.utils.translation import gettext as _

from ..payloads.escapes import is_unshowable, may_be_unshowable, with_placeholders
from ..payloads.exact_json import parse_exact, to_json
from ..payloads.masking import MASK
from . import objectid
from .extended_json import is_extended, strip_comments, to_plain_json
from .strict_json import NotStrictJSON, strict_loads

_CODE_LIMIT, _TRIGGER_LIMIT, _WORD_LIMIT = 100, 40, 60
_FIRST_YEAR, _LAST_YEAR = 1970, 2105  # the years that the timestamp of an ObjectId covers
_LEAST_MILLISECONDS = 10**11  # in 1973; as seconds it is later than every accepted year
_NAME_LIMIT = 200
_SUBSCRIPTION_COLUMNS = {
    "_id": "id",
    "company": "company_id",
    "isActive": "is_active",
    "trigger": "trigger",
    "url": "url",
    "name": "name",
    "code": "code",
    "description": "description",
}
_CONTEXT_COLUMNS = {"survey": "context_survey", "group": "context_group", "taskGroup": "context_task_group"}
# A masked export must not replace its original, nor be sent.
_MASKS = (MASK.encode(), json.dumps(MASK).strip('"').encode())
_slices = msgspec.json.Decoder(dict[str, msgspec.Raw])
# Blanks and a byte order mark around a document aren't part of it.
_BEFORE = re.compile(rb"(?:[ \t\r\n]|\xef\xbb\xbf)*")
_OUTCOME = ("status", "retry", "response")
_SCANNER = json.JSONDecoder()
_BLANKS = re.compile(r"[ \t\r\n]*")


class InvalidDocument(ValueError):
    """Why a document is rejected, after the JSON Pointer of the field if there is one.

    `offset`: where the text itself is broken, in characters from the start of the document; None otherwise.
    """

    def __init__(self, reason: str, path: str = "", offset: int | None = None) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path
        self.offset = offset


@dataclass(slots=True)
class EventDocument:
    """A COTEvent. `text`: exactly as read; `value`: the same, parsed."""

    text: str
    value: dict[str, Any]
    type: str
    action: str
    object_id: str
    object_name: str


@dataclass(slots=True)
class LogDocument:
    """A COTWebhookLog. `extra`: a JSON object of the fields that the columns don't cover; None if they cover all.

    `is_corrected`: it wasn't valid JSON until comments and trailing commas were removed.
    """

    id: str
    company: str
    subscription_id: str
    created_at: datetime
    status: int | None
    retry: int | None
    response: str | None
    extra: str | None
    event: EventDocument
    is_corrected: bool = False

    @property
    def named_subscription(self) -> str:
        return self.subscription_id

    @property
    def attempt_count(self) -> int | None:
        return self.retry


@dataclass(slots=True)
class SubscriptionDocument:
    """A COTWebhook. `text`: as read, unknown fields included."""

    id: str
    company_id: str
    name: str
    code: str
    description: str
    url: str
    is_active: bool
    trigger: str
    context_survey: str
    context_group: str
    context_task_group: str
    text: str
    is_corrected: bool = False


def read_log(data: bytes) -> LogDocument:
    """A COTWebhookLog from JSON or MongoDB extended JSON; raises InvalidDocument."""
    value, data, is_corrected = _read_imported(data)
    if any(mask in data for mask in _MASKS):
        raise InvalidDocument(
            _("contains masked values (%(mask)s); export it with --unmasked to import it again") % {"mask": MASK}
        )
    slices = _slices_of(data.decode())
    log = LogDocument(
        id=_id(value, "_id"),
        company=_id(value, "company"),
        subscription_id=_id(value, "subscription"),
        created_at=_moment(value, "createdAt"),
        status=_whole_number(value, "status", 999),
        retry=_whole_number(value, "retry", 2**31 - 1),
        response=_response(value.get("response"), slices.get("response", "")),
        extra=None,
        event=_logged_event(slices.get("event", ""), _required(value, "event", "")),
        is_corrected=is_corrected,
    )
    columns = _columns_of_log(log)
    extra = [
        f"{json.dumps(key, ensure_ascii=False)}:{_comparable(slices[key])}"
        for key, item in value.items()
        if key != "event"
        and (key not in columns or columns[key] is None or columns[key] != item or is_unshowable(slices[key]))
    ]
    log.extra = "{" + ",".join(extra) + "}" if extra else None
    return log


def write_log(log: Any, event: str) -> str:
    """The document of a log (a `WebhookLog` or a `LogDocument`) on one line. `event`: the text of its payload."""
    extra = _slices_of(log.extra) if log.extra else {}
    parts: dict[str, str] = {}
    for key, column in _columns_of_log(log).items():
        if key in extra and (column is None or key not in _OUTCOME or _read_as(key, extra[key]) == column):
            parts[key] = extra.pop(key)
        elif column is not None:
            extra.pop(key, None)
            parts[key] = json.dumps(column, ensure_ascii=False)
        if key == "response":
            parts["event"] = event
    parts |= extra
    return _one_line(
        "{" + ",".join(f"{json.dumps(key, ensure_ascii=False)}:{text}" for key, text in parts.items()) + "}"
    )


def read_event(data: bytes) -> EventDocument:
    """A COTEvent; raises InvalidDocument."""
    value, data = _read(data)
    return _event(data.decode(), value)


def read_subscription(data: bytes) -> SubscriptionDocument:
    """A COTWebhook from JSON or MongoDB extended JSON; raises InvalidDocument."""
    value, data, is_corrected = _read_imported(data)
    context = value.get("context") or {}
    if not isinstance(context, dict):
        raise InvalidDocument(_("not an object"), "/context")
    code = _limited(value, "code", _CODE_LIMIT)
    trigger = _limited(value, "trigger", _TRIGGER_LIMIT)  # an unknown trigger matches no event
    name = _text(value, "name")
    if not name.strip() or len(name) > _NAME_LIMIT:
        raise InvalidDocument(_("empty or longer than %(limit)s characters") % {"limit": _NAME_LIMIT}, "/name")
    url = _text(value, "url").strip()
    if not re.match(r"https?://\S+\Z", url, re.IGNORECASE) or len(url) > 2000:
        raise InvalidDocument(_("not an http or https URL of at most 2,000 characters"), "/url")
    is_active = value.get("isActive", True)
    if not isinstance(is_active, bool):
        raise InvalidDocument(_("neither true nor false"), "/isActive")
    return SubscriptionDocument(
        id=_id(value, "_id"),
        company_id=_id(value, "company"),
        name=name,
        code=code,
        description=_text_or_none(value, "description") or "",
        url=url,
        is_active=is_active,
        trigger=trigger,
        context_survey=_context_id(context, "survey"),
        context_group=_context_id(context, "group"),
        context_task_group=_context_id(context, "taskGroup"),
        text=data.decode(),
        is_corrected=is_corrected,
    )


def write_subscription(subscription: Any) -> str:
    """The document of a `Subscription` on one line: as imported, with the fields that were changed here replaced."""
    now = {key: getattr(subscription, column) for key, column in _SUBSCRIPTION_COLUMNS.items()}
    context = {key: getattr(subscription, column) for key, column in _CONTEXT_COLUMNS.items()}
    if not subscription.document:
        return _one_line(json.dumps(now | {"context": context}, ensure_ascii=False))
    read = read_subscription(subscription.document.encode())
    text = subscription.document
    document = json.loads(text)
    changed = {key: column for key, column in now.items() if column != getattr(read, _SUBSCRIPTION_COLUMNS[key])}
    changed_context = {key: column for key, column in context.items() if column != getattr(read, _CONTEXT_COLUMNS[key])}
    if not changed and not changed_context:
        return _one_line(subscription.document)
    if changed_context:
        changed["context"] = {**(document.get("context") or {}), **changed_context}
    return _one_line(json.dumps(document | changed, ensure_ascii=may_be_unshowable(text)))


def format_timestamp(moment: datetime) -> str:
    """A datetime as Cotalker writes it: 2022-05-05T20:04:40.084Z."""
    utc = moment.astimezone(UTC)
    return f"{utc:%Y-%m-%dT%H:%M:%S}.{utc.microsecond // 1000:03d}Z"


def object_name(data: Any) -> str:
    """The object's name for people: a task's or element's name, a user's names, a survey's title; "" if it has none."""
    if not isinstance(data, dict):
        return ""
    name = data.get("name")
    if isinstance(name, dict):  # a user's or an element's
        whole = " ".join(part for part in (name.get("names"), name.get("lastName")) if isinstance(part, str))
        names = (name.get("displayName"), whole, name.get("display"), name.get("code"))
        name = next((part for part in names if isinstance(part, str) and part.strip()), "")
    for candidate in (name, data.get("title"), data.get("display")):
        if isinstance(candidate, str) and candidate.strip():
            return candidate.strip()[:_NAME_LIMIT]
    return ""


def _read(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The parsed document, and its bytes as plain JSON."""
    before = _BEFORE.match(data)[0]  # type: ignore[index]  # it also matches the empty string
    data = data[len(before) :].rstrip(b" \t\r\n")
    try:
        value = strict_loads(data)
        if is_extended(value):
            data = to_plain_json(data)
            value = strict_loads(data)
    except NotStrictJSON as error:
        offset = None if error.offset is None else error.offset + len(before.decode())
        raise InvalidDocument(error.reason, offset=offset) from error
    if not isinstance(value, dict):
        raise InvalidDocument(_("not a JSON object"))
    return value, data


def _read_imported(data: bytes) -> tuple[dict[str, Any], bytes, bool]:
    """The same, and whether comments or trailing commas had to be removed."""
    try:
        return *_read(data), False
    except InvalidDocument as error:
        if error.offset is None:
            raise
        try:
            return *_read(strip_comments(data.decode()).encode()), True
        except InvalidDocument:
            raise error from None


def _comparable(text: str) -> str:
    """The text; in a single spelling if PostgreSQL couldn't compare it with another spelling."""
    return to_json(parse_exact(text)) if may_be_unshowable(text) else text


def _slices_of(text: str) -> dict[str, str]:
    """The texts of the values in a valid JSON object, by key."""
    if not may_be_unshowable(text):
        return {key: bytes(raw).decode() for key, raw in _slices.decode(text).items()}
    shown = with_placeholders(text)  # every offset in it stays the same
    slices: dict[str, str] = {}
    at = _skip(shown, shown.index("{") + 1)
    while shown[at] != "}":
        key, at = _SCANNER.raw_decode(shown, at)
        start = _skip(shown, _skip(shown, at) + 1)
        _value, end = _SCANNER.raw_decode(shown, start)
        slices[key] = text[start:end]
        at = _skip(shown, end)
        at = _skip(shown, at + 1) if shown[at] == "," else at
    return slices


def _skip(text: str, at: int) -> int:
    return _BLANKS.match(text, at).end()  # type: ignore[union-attr]  # it also matches the empty string


def _event(text: str, value: Any) -> EventDocument:
    """An event that came in. Without `type` and `event` it is rejected, because it would match no subscription."""
    return _as_event(text, value, _word(value, "type"), _word(value, "event"))


def _logged_event(text: str, value: Any) -> EventDocument:
    """The event of a log. Any JSON object will do, because nothing depends on its fields any more."""
    if not isinstance(value, dict):
        raise InvalidDocument(_("an event must be a JSON object"), "/event")
    words = [value[key][:_WORD_LIMIT] if isinstance(value.get(key), str) else "" for key in ("type", "event")]
    return _as_event(text, value, *words)


def _as_event(text: str, value: dict[str, Any], event_type: str, action: str) -> EventDocument:
    data = value.get("data")
    object_id = data.get("_id") if isinstance(data, dict) else None
    return EventDocument(
        text=text,
        value=value,
        type=event_type,
        action=action,
        object_id=objectid.parse_objectid(object_id) if objectid.is_objectid(object_id) else "",
        object_name=object_name(data),
    )


def _columns_of_log(log: Any) -> dict[str, Any]:
    """The fields that a log's columns cover, in the order in which Cotalker writes them (the event follows the response)."""
    return {
        "_id": log.id,
        "company": log.company,
        "createdAt": format_timestamp(log.created_at),
        "status": log.status,
        "retry": log.attempt_count,
        "response": log.response,
        "subscription": log.named_subscription,
    }


def _one_line(text: str) -> str:
    """The text without the line breaks of pretty printing. In JSON they can only be between tokens."""
    return text.replace("\r", " ").replace("\n", " ")


def _required(value: dict[str, Any], key: str, path: str) -> Any:
    if key not in value:
        raise InvalidDocument(_("missing"), f"{path}/{key}")
    return value[key]


def _id(value: dict[str, Any], key: str, path: str = "") -> str:
    try:
        return objectid.parse_objectid(_required(value, key, path))
    except ValueError as error:
        if isinstance(error, InvalidDocument):
            raise
        raise InvalidDocument(str(error), f"{path}/{key}") from error


def _context_id(context: dict[str, Any], key: str) -> str:
    return _id(context, key, "/context") if context.get(key) else ""


def _text(value: dict[str, Any], key: str) -> str:
    text = _required(value, key, "")
    if not isinstance(text, str):
        raise InvalidDocument(_("not a string"), f"/{key}")
    return text


def _text_or_none(value: dict[str, Any], key: str) -> str | None:
    text = value.get(key)
    if text is not None and not isinstance(text, str):
        raise InvalidDocument(_("not a string"), f"/{key}")
    return text


def _word(value: dict[str, Any], key: str) -> str:
    return _limited(value, key, _WORD_LIMIT)


def _limited(value: dict[str, Any], key: str, limit: int) -> str:
    word = _required(value, key, "")
    if not isinstance(word, str) or not 0 < len(word) <= limit:
        raise InvalidDocument(_("not a string of 1 to %(limit)s characters") % {"limit": limit}, f"/{key}")
    return word


def _response(value: Any, text: str) -> str | None:
    """The value of a string or null; for any other JSON, its text exactly as written."""
    return value if value is None or isinstance(value, str) else text


def _read_as(key: str, text: str) -> Any:
    """The value that an outcome's column has if the document has this text."""
    value = strict_loads(text)
    return _response(value, text) if key == "response" else _as_number(value)


def _as_number(value: Any) -> Any:
    """409.0 and "409" are 409; other values are returned unchanged."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,10}", value) else value


def _whole_number(value: dict[str, Any], key: str, most: int) -> int | None:
    number = _as_number(value.get(key))
    if number is None:
        return None
    if not isinstance(number, int) or isinstance(number, bool) or not 0 <= number <= most:
        raise InvalidDocument(_("not a whole number from 0 to %(most)s") % {"most": most}, f"/{key}")
    return number


def _moment(value: dict[str, Any], key: str) -> datetime:
    text = _required(value, key, "")
    try:
        moment = _of_epoch(text) or (datetime.fromisoformat(text).astimezone(UTC) if _has_zone(text) else None)
    except (ValueError, OverflowError, TypeError):
        moment = None
    if moment is None or not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise InvalidDocument(
            _("'%(text)s' is not a date such as 2022-05-05T20:04:40.084Z") % {"text": str(text)[:60]}, f"/{key}"
        )
    return moment


def _of_epoch(number: Any) -> datetime | None:
    """Milliseconds since 1970, or seconds if the number is too small for milliseconds; None if it isn't a number."""
    if isinstance(number, bool) or not isinstance(number, int | float):
        return None
    milliseconds = number * 1000 if abs(number) < _LEAST_MILLISECONDS else number
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=milliseconds)


def _has_zone(text: Any) -> bool:
    return isinstance(text, str) and datetime.fromisoformat(text).tzinfo is not None
