"""The logs of the explorer benchmark, as lines for COPY: the same every time for a seed, except their datetimes.

cotadmin's own functions derive its columns (cause, fingerprint, both search indexes), so they are what an import would have
stored. The constant parts of an event are derived once, the rest for each log.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import NamedTuple

SAMPLE = Path(__file__).parent.parent / "logs/samples/webhook_log_task_create_failed.json"
DAYS = 60
COMPANIES = 12
SUBSCRIPTIONS = 100
SMALL_COMPANY = f"{COMPANIES:024x}"  # has the first two subscriptions and 1 % of the logs
LOGS_OF_OBJECT = 7
COMMON_WORD = "mantenimiento"
KEPT_FIELDS = (
    "isActive",
    "language",
    "relativeWeight",
    "startDate",
    "taskGroup",
    "owner",
    "status",
    "smState",
    "serial",
    "__v",
)
THINGS = ("Bomba", "Molino", "Correa", "Chancador", "Espesador", "Harnero", "Alimentador", "Compresor")
WORKS = (
    "Cambio de sello mecánico",
    "Inspección",
    "Termografía",
    "Alineamiento láser",
    "Lubricación",
    "Fuga hidráulica",
)
LOG_COLUMNS = (
    "id, subscription_id, company, created_at, status, attempt_count, response, state, cause, fingerprint, event_type, "
    "action, object_id, object_name, duration_ms, search, attempts_left, trigger, is_test"
)


class Outcome(NamedTuple):
    state: str
    status: int | None
    attempt_count: int
    response: str


DELIVERED = (
    Outcome("delivered", 200, 1, '{"ok":true}'),
    Outcome("delivered", 201, 1, ""),
    Outcome("delivered", 200, 2, "OK"),
)
FAILED = (
    Outcome("failed", 409, 3, "connect ETIMEDOUT 67.225.146.248:443"),
    Outcome("failed", 409, 3, '{"error":"duplicate key"}'),
    Outcome("failed", 502, 3, "<html><body>502 Bad Gateway</body></html>"),
    Outcome("failed", 500, 3, '{"message":"internal error"}'),
)
SKIPPED = Outcome("skipped", 409, 3, "connect ETIMEDOUT 67.225.146.248:443")


def object_id(number: int) -> str:
    """The object id of a log's event; LOGS_OF_OBJECT logs in a row share it."""
    return f"{0xBE0000000000 + number // LOGS_OF_OBJECT:024x}"


def asset_id(number: int) -> str:
    return f"{0xA55E00000000 + number // LOGS_OF_OBJECT:024x}"


class Maker:
    """Makes the lines for COPY for any of `total` logs; the last one is created at `end`."""

    def __init__(self, total: int, end: datetime, seed: int) -> None:
        from logs.payloads.masking import masked_keys
        from logs.payloads.tokens import search_tokens

        sample = json.loads(SAMPLE.read_text())["event"]
        data = {name: sample["data"][name] for name in KEPT_FIELDS}
        data |= {"_id": "@id", "asset": "@asset", "name": "@name", "tags": [COMMON_WORD, "planta"], "note": "@note"}
        event = sample | {"event": "@action", "data": data, "createdAt": "@at"}
        self._event = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
        constant = json.loads(self._event.replace("@id", "").replace("@asset", "").replace("@name", ""))
        constant["event"] = constant["createdAt"] = constant["data"]["note"] = ""
        self._words = " ".join(search_tokens(constant, masked_keys()))
        self._outcomes = {outcome: _columns_of(outcome) for outcome in (*DELIVERED, *FAILED, SKIPPED)}
        self._start, self._total, self._seed = end - timedelta(days=DAYS), total, seed

    def lines(self, first: int, last: int) -> Iterator[tuple[str, str]]:
        """(log, payload) for the numbers from `first` up to, not including, `last`."""
        random = Random(self._seed + first)
        for number in range(first, last):
            seconds = self._moment(number)
            subscription = random.randrange(2) if random.random() < 0.01 else random.randrange(2, SUBSCRIPTIONS)
            yield self._line(number, seconds, subscription, random)

    def _moment(self, number: int) -> float:
        """The log's time in seconds since 1970: many logs at noon, few at night."""
        day, part = divmod(number * DAYS / self._total, 1)
        part -= 0.8 * math.sin(2 * math.pi * part) / (2 * math.pi)
        return self._start.timestamp() + (day + part) * 86400

    def _line(self, number: int, seconds: float, subscription: int, random: Random) -> tuple[str, str]:
        pk = f"{int(seconds):08x}{number:016x}"
        at = datetime.fromtimestamp(seconds, UTC).isoformat()
        outcome = _outcome(int(seconds) // 3600, subscription, random)
        status, attempt_count, response, state, cause, fingerprint, response_words = self._outcomes[outcome]
        action = "create" if number % LOGS_OF_OBJECT == 0 else "delete" if number % 50 == 49 else "edit"
        tag = 100 + number // LOGS_OF_OBJECT % 900
        thing, work = THINGS[tag % len(THINGS)], WORKS[number % len(WORKS)]
        name, note = f"{thing} P-{tag} · {work}", f"turno {number % 97} sector {number % 41}"
        identity, asset = object_id(number), asset_id(number)
        event = self._event.replace("@id", identity).replace("@asset", asset).replace("@name", name)
        event = event.replace("@note", note).replace("@action", action).replace("@at", at)
        words = _words_of(f"{name} {note} {action} {at}")
        log_line = (
            f"{pk}\t{subscription_id(subscription)}\t{company_id(subscription)}\t{at}\t{status}\t{attempt_count}\t"
            f"{response}\t{state}\t{cause}\t{fingerprint}\tCOTTask\t{action}\t{identity}\t{name}\t"
            f"{40 + number % 900}\t{response_words}\t0\tauto\tf\n"
        )
        return log_line, f"{pk}\t{event}\t{self._words} {identity} {asset} {words}\n"


def _words_of(text: str) -> str:
    from logs.payloads.tokens import index_tokens, words_of

    return " ".join(index_tokens(words_of(text)))


def _outcome(hour: int, subscription: int, random: Random) -> Outcome:
    """Each subscription has an outage in one of 97 hours."""
    is_outage = (hour * 31 + subscription * 7) % 97 == 0
    chance = random.random()
    if chance < (0.8 if is_outage else 0.01):
        return FAILED[(hour + subscription) % len(FAILED)] if is_outage else random.choice(FAILED)
    return SKIPPED if chance > 0.999 else random.choice(DELIVERED)


def _columns_of(outcome: Outcome) -> tuple[str, ...]:
    from logs.cotalker.outcomes import classify_outcome, fingerprint
    from logs.db.search_vectors import response_vector
    from logs.payloads.masking import masked_keys

    state, status, attempt_count, response = outcome
    cause = classify_outcome(status, response) if state != "delivered" else ""
    alike = fingerprint(response, status, cause) if cause else ""
    return (str(status), str(attempt_count), response, state, cause, alike, response_vector(response, masked_keys()))


def subscription_id(number: int) -> str:
    return f"{0xAAA000 + number:024x}"


def company_id(subscription: int) -> str:
    return SMALL_COMPANY if subscription < 2 else f"{1 + subscription % (COMPANIES - 1):024x}"
