"""Subscriptions for the tests of their pages, and what their form sends."""

import json

from django.urls import reverse

from logs.cotalker import objectid
from logs.cotalker.documents import read_subscription
from logs.models import AuditEntry, Subscription, Trigger

ADDRESS = "http://127.0.0.1:9000/hook"  # the tests' settings allow it
SECRET = "whsec_" + "QUJD" * 8


def make_subscription(company, **fields):
    values = {
        "name": "Orders",
        "code": f"code_{objectid.new_objectid()}",
        "url": ADDRESS,
        "trigger": Trigger.TASK,
    } | fields
    return Subscription.objects.create(company=company, **values)


def make_placeholder(company):
    return make_subscription(company, code="", trigger="", url="", is_placeholder=True, is_active=False)


def make_imported(company, **changes):
    """A subscription as an import stores it, of the document that Cotalker publishes."""
    document = {
        "_id": objectid.new_objectid(),
        "company": company.pk,
        "name": "Orders",
        "code": "orders",
        "url": ADDRESS,
        "isActive": True,
        "trigger": "create-edit-delete-task",
        "context": {"survey": "", "group": "", "taskGroup": ""},
        "__v": 0,
    } | changes
    read = read_subscription(json.dumps(document).encode())
    columns = {
        name: getattr(read, name) for name in ("id", "company_id", "name", "code", "url", "is_active", "trigger")
    }
    return Subscription.objects.create(document=read.text, **columns)


def posted(**changes):
    """What a filled-in form sends; a value of None is omitted."""
    values = {"name": "Pump alarms", "url": ADDRESS, "trigger": "create-edit-delete-task", "is_active": "on"}
    values |= {"secret_choice": "none", "pause_on_exhausted": "False"} | changes
    return {name: value for name, value in values.items() if value is not None}


def address_of(subscription, view="detail"):
    return reverse(f"logs:subscription_{view}", args=[subscription.pk])


def names_in(response):
    return [row.subscription.name for row in response.context["subscriptions"].rows]


def record_of(subscription):
    entries = AuditEntry.objects.filter(target=subscription.pk).order_by("id")
    return [(entry.action, entry.detail) for entry in entries]
