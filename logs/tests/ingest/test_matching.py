"""Which subscriptions an event matches."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from logs.ingest.matching import EventScope, SubscriptionScope, event_scope, matching_subscriptions, scopes_match
from logs.models import Trigger

from ..events import make_event
from ..factories import COMPANY, OTHER_COMPANY, make_company, make_subscription

A, B, C = "6261612a8f1e99002e5c8cce", "6261612a8f1e99002e5c8ccf", "6261612a8f1e99002e5c8cd0"
TYPES = {
    Trigger.USER: "COTUser",
    Trigger.TASK: "COTTask",
    Trigger.SURVEY: "COTSurvey",
    Trigger.PROPERTY: "COTProperty",
    Trigger.NOTE: "COTNote",
    Trigger.LOGOUT: "Auth",
}


def watch(trigger: str, **context: str) -> SubscriptionScope:
    return SubscriptionScope("62685990d918fb5557f9f992", COMPANY, trigger, **context)


def event(event_type: str, action: str = "edit", company: str = COMPANY, **ids: str) -> EventScope:
    return EventScope(company, event_type, action, **ids)


@pytest.mark.parametrize("trigger", Trigger.values)
@pytest.mark.parametrize("event_type", TYPES.values())
def test_a_trigger_matches_only_its_type(trigger, event_type):
    action = "logout" if event_type == "Auth" else "edit"
    assert scopes_match(watch(trigger), event(event_type, action)) == (TYPES[Trigger(trigger)] == event_type)


CASES = [
    ("create", watch(Trigger.TASK), event("COTTask", "create"), True),
    ("delete", watch(Trigger.TASK), event("COTTask", "delete"), True),
    ("an action nobody knows yet", watch(Trigger.TASK), event("COTTask", "archive"), True),
    ("another company", watch(Trigger.TASK), event("COTTask", company=OTHER_COMPANY), False),
    ("a type nobody knows", watch(Trigger.TASK), event("COTRobot"), False),
    ("no trigger and an unknown type", watch(""), event("COTRobot"), False),
    ("a logout", watch(Trigger.LOGOUT), event("Auth", "logout"), True),
    ("another event of a session", watch(Trigger.LOGOUT), event("Auth", "login"), False),
    ("no trigger and a login", watch(""), event("Auth", "login"), False),
    ("its task group", watch(Trigger.TASK, task_group=A), event("COTTask", task_group=A), True),
    ("another task group", watch(Trigger.TASK, task_group=A), event("COTTask", task_group=B), False),
    ("no task group", watch(Trigger.TASK, task_group=A), event("COTTask"), False),
    ("any task group", watch(Trigger.TASK), event("COTTask", task_group=B), True),
    ("a task does not ask for the survey", watch(Trigger.TASK, survey=A, group=A), event("COTTask"), True),
    ("its survey", watch(Trigger.SURVEY, survey=A), event("COTSurvey", survey=A, group=C), True),
    ("another survey", watch(Trigger.SURVEY, survey=A), event("COTSurvey", survey=B), False),
    ("its group", watch(Trigger.SURVEY, group=B), event("COTSurvey", survey=A, group=B), True),
    ("another group", watch(Trigger.SURVEY, group=B), event("COTSurvey", survey=A, group=C), False),
    ("its survey and its group", watch(Trigger.SURVEY, survey=A, group=B), event("COTSurvey", survey=A, group=B), True),
    ("its survey, another group", watch(Trigger.SURVEY, survey=A, group=B), event("COTSurvey", survey=A), False),
    ("another survey, its group", watch(Trigger.SURVEY, survey=A, group=B), event("COTSurvey", group=B), False),
    ("a survey does not ask for the task group", watch(Trigger.SURVEY, task_group=A), event("COTSurvey"), True),
    ("a user asks for no context", watch(Trigger.USER, task_group=A, survey=A, group=A), event("COTUser"), True),
]


@pytest.mark.parametrize(("what", "watch", "event", "expected"), CASES, ids=[case[0] for case in CASES])
def test_trigger_company_and_context_decide_the_match(what, watch, event, expected):
    assert scopes_match(watch, event) is expected


def test_the_context_is_read_from_the_data_regardless_of_case():
    data = {"taskGroup": A.upper(), "surveyId": B, "group": C}
    assert event_scope(COMPANY, make_event(data=data)) == EventScope(COMPANY, "COTTask", "create", A, B, C)


@pytest.mark.parametrize("data", [None, {}, {"taskGroup": None, "group": 7, "surveyId": ["x"]}, {"taskGroup": "x"}])
def test_data_without_ids_matches_no_context(data):
    assert event_scope(COMPANY, make_event(data=data)) == EventScope(COMPANY, "COTTask", "create")


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("fields", "is_fired"),
    [
        ({}, True),
        ({"is_active": False}, False),
        ({"is_delivered_here": False}, False),
        ({"url": ""}, False),
        ({"trigger": Trigger.USER}, False),
        ({"context_task_group": A}, True),
        ({"context_task_group": B}, False),
        ({"paused_at": "2026-04-14T12:00:00Z"}, True),
    ],
    ids=["plain", "inactive", "Cotalker's", "without URL", "another trigger", "its group", "another group", "paused"],
)
def test_only_active_subscriptions_that_we_deliver_match(fields, is_fired):
    subscription = make_subscription(**fields)
    assert matching_subscriptions([event("COTTask", task_group=A)]) == [[subscription.pk] if is_fired else []]


@pytest.mark.django_db
def test_a_placeholder_never_matches():
    make_subscription(is_placeholder=True, is_active=False, url="", trigger="")
    assert matching_subscriptions([event("COTTask")]) == [[]]


@pytest.mark.django_db
def test_a_batch_of_all_kinds_is_one_query():
    other = make_company(OTHER_COMPANY, "Other")
    task, also_task, user = (make_subscription(pk=f"62685990d918fb5557f9f99{n}") for n in range(3))
    type(user).objects.filter(pk=user.pk).update(trigger=Trigger.USER)
    theirs = make_subscription(pk="62685990d918fb5557f9f990"[:-1] + "a", company=other)
    events = [
        event("COTUser"),
        event("COTTask"),
        event("COTTask", company=OTHER_COMPANY),
        event("Auth", "login"),
        event("COTNote"),
    ]
    with CaptureQueriesContext(
        connection,
    ) as queries:
        matches = matching_subscriptions(events)
    assert matches == [[user.pk], [task.pk, also_task.pk], [theirs.pk], [], []]
    assert len(queries) == 1


@pytest.mark.django_db
def test_matching_walks_its_index_and_reads_no_other_rows():
    for number in range(50):
        make_subscription(f"62685990d918fb5557f9{number:04x}", is_active=number == 0)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE logs_subscription")  # else the plan is for what tests before have left
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(
            "EXPLAIN SELECT id FROM logs_subscription WHERE company_id = %s AND trigger = %s AND is_active AND is_delivered_here",
            [COMPANY, Trigger.TASK],
        )
        assert "subscription_matching" in "\n".join(line for (line,) in cursor.fetchall())
