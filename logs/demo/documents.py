"""Generates the demo's documents from the published samples: two weeks of work orders, users, incidents and elements.

One receiver was down for a night, and others have smaller outages. The same seed gives the same two weeks.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from ..cotalker import objectid
from ..cotalker.documents import format_timestamp
from ..models import TYPE_OF_TRIGGER, EventType, Trigger

COMPANY_ID = "de3000000000000000000001"
COMPANY_NAME = "Demo · Austral Mantenimiento"
DAYS = 14
LOGS = 2000
SEED = 20260414

_SAMPLES = Path(__file__).parent.parent / "samples"
_TASKS = (
    "Cambio de sello mecánico",
    "Alineamiento láser",
    "Fuga hidráulica",
    "Inspección de cóncavos",
    "Cambio de polines",
    "Mantención 2.000 h",
    "Apriete de revestimientos",
    "Termografía",
    "Lubricación de rastra",
    "Ruido en reductor",
)
_MACHINES = (
    "Bomba P-204",
    "Bomba P-118",
    "Correa CV-12",
    "Molino SAG",
    "Chancador CH-01",
    "Espesador E-3",
    "Compresor K-301",
    "Harnero H-05",
    "Alimentador AL-02",
    "Celda de flotación 7",
    "CAEX 118",
)
_PEOPLE = ("Mecánico turno A-07", "Supervisor turno B", "Eléctrico turno C-02", "Jefe de taller", "Operadora sala 3")
_INCIDENTS = ("Caída a mismo nivel · Taller", "Casi accidente · Nivel 4 molienda", "Derrame menor · Losa de lavado")
_ELEMENTS = ("Rodamiento 22320 E · stock mínimo", "Correa V-belt 5VX 1250", "Aceite ISO VG 320 · tambor 208 L")


@dataclass(frozen=True)
class Outage:
    """From `start` to `end` (days before now), this share of a subscription's logs failed, in this way."""

    start: float
    end: float
    share: float
    status: int | None
    response: str


@dataclass(frozen=True)
class SubscriptionPlan:
    """A subscription of the demo: its share of all logs, and its outages."""

    code: str
    name: str
    trigger: Trigger
    weight: int
    troubles: tuple[Outage, ...]

    @property
    def event_type(self) -> EventType:
        return TYPE_OF_TRIGGER[self.trigger]


TIMEOUT = "connect ETIMEDOUT 67.225.146.248:443"
# What the receiver answers while it is down, in its own words.
DOWN_PAGE = (
    "<!doctype html><html><head><title>SAP PM no disponible</title></head><body><h1>SAP PM no disponible</h1>"
    "<p>La base de datos de mantenimiento no responde (error 4711). Mesa de ayuda: anexo 2040.</p></body></html>"
)
LAST_NIGHT = 0.45, 0.05  # days before now; since then the receiver works again
PLANS = (
    SubscriptionPlan(
        "wo_update",
        "Work Orders Update",
        Trigger.TASK,
        50,
        (
            Outage(*LAST_NIGHT, 0.92, 500, DOWN_PAGE),
            Outage(8.2, 8.0, 0.6, 409, TIMEOUT),
        ),
    ),
    SubscriptionPlan(
        "users_hr",
        "Users to HR",
        Trigger.USER,
        18,
        (
            Outage(*LAST_NIGHT, 0.92, 500, DOWN_PAGE),
            Outage(DAYS, 7.5, 0.12, 409, '{"error":"duplicate employee code","token":"demo-4711"}'),
        ),
    ),
    SubscriptionPlan(
        "incidents_sap",
        "Incidents to SAP",
        Trigger.SURVEY,
        14,
        (
            Outage(
                DAYS,
                7.5,
                0.1,
                502,
                "<html><head><title>502 Bad Gateway</title></head><body>502 Bad Gateway</body></html>",
            ),
            Outage(10.3, 10.05, 0.9, 409, "socket hang up"),
        ),
    ),
    SubscriptionPlan(
        "elements_erp",
        "Elements to ERP",
        Trigger.PROPERTY,
        12,
        (
            Outage(12.3, 12.05, 1.0, 409, "certificate has expired"),
            Outage(9.5, 9.4, 1.0, 409, "getaddrinfo ENOTFOUND erp.austral.example"),
        ),
    ),
    SubscriptionPlan("notes_audit", "Notes to the archive", Trigger.NOTE, 4, ()),
    SubscriptionPlan("logouts", "Sessions", Trigger.LOGOUT, 2, (Outage(11.4, 11.0, 1.0, 301, "Moved Permanently"),)),
)


def subscription_id(plan: SubscriptionPlan) -> str:
    return f"de30{PLANS.index(plan) + 16:020x}"


def subscriptions(receiver_url: str) -> Iterator[dict[str, Any]]:
    """COTWebhooks that post to the demo's receiver."""
    sample = json.loads((_SAMPLES / "webhook_subscription.json").read_text())
    for plan in PLANS:
        yield sample | {
            "_id": subscription_id(plan),
            "company": COMPANY_ID,
            "name": plan.name,
            "code": plan.code,
            "trigger": plan.trigger.value,
            "url": f"{receiver_url}/{plan.code}",
            "description": "Demo",
            "context": {"survey": "", "group": "", "taskGroup": ""},
        }


def logs(now: datetime) -> Iterator[dict[str, Any]]:
    """COTWebhookLogs of the two weeks before `now`, oldest first."""
    random = Random(SEED)  # noqa: S311  (a demo, not a secret)
    objects = {plan.code: _objects(plan, random) for plan in PLANS}
    for moment in sorted(_moment(now, random) for _ in range(LOGS)):
        plan = random.choices(PLANS, [plan.weight for plan in PLANS])[0]
        yield _log(plan, random.choice(objects[plan.code]), moment, now, random)


def _moment(now: datetime, random: Random) -> datetime:
    """Return a random datetime, mostly in the daytime; one log in six is from last night's outage."""
    if random.random() < 1 / 6:
        return now - timedelta(days=random.uniform(0.0, 0.5))
    day = random.randrange(DAYS)
    return now - timedelta(days=day, hours=min(abs(random.gauss(5, 3)), 23.9), seconds=random.uniform(1, 3000))


def _objects(plan: SubscriptionPlan, random: Random) -> list[tuple[str, str]]:
    names = {
        EventType.TASK: [f"{machine} · {task}" for machine in _MACHINES for task in random.sample(_TASKS, 4)],
        EventType.USER: list(_PEOPLE) * 3,
        EventType.SURVEY: list(_INCIDENTS) * 4,
        EventType.PROPERTY: list(_ELEMENTS) * 5,
        EventType.NOTE: ["Nota de turno"] * 8,
        EventType.SESSION: [""],
    }[plan.event_type]
    return [(f"de3a{random.getrandbits(80):020x}", name) for name in names]


def _log(
    plan: SubscriptionPlan, obj: tuple[str, str], moment: datetime, now: datetime, random: Random
) -> dict[str, Any]:
    sample = json.loads((_SAMPLES / "webhook_log_task_create_failed.json").read_text())
    status, attempts, response = _outcome(plan, (now - moment).total_seconds() / 86400, random)
    happened = moment - timedelta(seconds=random.uniform(0.3, 6) + 30 * (attempts - 1))
    return sample | {
        "_id": objectid.new_objectid(moment)[:8] + f"{random.getrandbits(64):016x}",
        "company": COMPANY_ID,
        "createdAt": format_timestamp(moment),
        "status": status,
        "retry": attempts,
        "response": response,
        "event": _event(plan, obj, happened, sample["event"], random),
        "subscription": subscription_id(plan),
    }


def _outcome(plan: SubscriptionPlan, days_ago: float, random: Random) -> tuple[int | None, int, str]:
    for trouble in plan.troubles:
        if trouble.end <= days_ago <= trouble.start and random.random() < trouble.share:
            return trouble.status, 3, trouble.response
    return (
        random.choice((200, 200, 200, 201, 204)),
        random.choice((1, 1, 1, 1, 1, 2)),
        random.choice(("", "OK", '{"ok":true}')),
    )


def _event(
    plan: SubscriptionPlan, obj: tuple[str, str], happened: datetime, task_event: dict, random: Random
) -> dict[str, Any]:
    object_id, name = obj
    event: dict[str, Any] = copy.deepcopy(task_event)
    event |= {"company": COMPANY_ID, "type": plan.event_type.value, "createdAt": format_timestamp(happened)}
    if plan.event_type == EventType.SESSION:
        user = f"de3b{random.getrandbits(80):020x}"
        extra = {"userId": user, "timestamp": int(happened.timestamp() * 1000)}
        return event | {"event": "logout", "data": None, "extraData": extra}
    if plan.event_type == EventType.USER:
        event = json.loads((_SAMPLES / "event_user_edit.json").read_text()) | {
            "company": COMPANY_ID,
            "createdAt": format_timestamp(happened),
        }
        event["data"] |= {
            "_id": object_id,
            "name": {"displayName": name, "names": name, "lastName": "", "secondLastName": ""},
        }
        return event
    event["data"] |= {"_id": object_id, "name": name, "serial": random.randrange(40000, 50000)}
    event["data"]["modifiedAt"] = format_timestamp(happened)
    event["event"] = (
        "edit" if plan.event_type == EventType.NOTE else random.choice(("create", "edit", "edit", "edit", "delete"))
    )
    if event["event"] == "edit":
        before, after = (format_timestamp(happened + timedelta(days=days)) for days in random.sample(range(1, 20), 2))
        event["data"]["endDate"] = after
        event["diff"] = {
            "/endDate": {"previous": before, "changedTo": after},
            "/assignee": {"previous": None, "changedTo": event["data"]["assignee"]},
        }
    return event
