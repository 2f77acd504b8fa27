"""What the search box finds, through the page: in a failed log about a pump and a delivered one about a person."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from ..factories import import_logs, log_document, make_company, make_subscription

pytestmark = pytest.mark.django_db
ID = "62742b759d46b3000797f1fc"
PERSON = "62685990d918fb5557f9f993"
PUMP_DATA = {
    "_id": "62742b7562f37034d9399914",
    "name": "Bomba P-118",
    "note": "El mecánico vino a las 10:30",
    "url": f"https://x.example/t/{ID}?y=1",
    "asset": ID,
    "password": "hidden treasure",
    "tags": [{"colour": "red"}, {"colour": "blue"}],
}
DIFF = {"/data/name": {"previous": "Bomba P-117", "changedTo": "Bomba P-118"}}


@pytest.fixture(autouse=True)
def logs(client, member):
    make_subscription(name="Work Orders Update", code="wo_update")
    make_subscription(PERSON, name="Users to HR", code="users_hr")
    pump = {"type": "COTTask", "event": "edit", "data": PUMP_DATA, "diff": DIFF}
    person = {"type": "COTUser", "event": "create", "data": {"_id": "6" * 24, "name": "Ana", "note": "red hair"}}
    import_logs(
        log_document(1, pump, status=409, retry=3, response="connect ETIMEDOUT 67.225.146.248:443"),
        log_document(2, person, status=200, retry=1, response='{"ok": "thank you"}', subscription=PERSON),
    )
    client.force_login(member("Viewer"))


def found(client, text: str) -> list[str]:
    """The names of the objects in the list."""
    answer = client.get(reverse("logs:webhook_log_list"), {"q": text})
    assert answer.status_code == 200, text
    names = re.findall(r"<a[^>]*data-row-link[^>]*>\s*([^<]*?)\s*</a>", answer.content.decode())
    return sorted(names)


BOTH, NONE, PUMP, ANA = ["Ana", "Bomba P-118"], [], ["Bomba P-118"], ["Ana"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", BOTH),
        ("118", PUMP),
        ("P-118", PUMP),
        ("bom", PUMP),
        ("mecanico", PUMP),
        ("MECÁNICO", PUMP),
        ("10:30", PUMP),
        (ID, PUMP),
        (ID.upper(), PUMP),
        (ID[:8], PUMP),
        ("6" * 24, ANA),
        (PERSON, ANA),
        ("ETIMEDOUT", PUMP),
        ("67.225.146.248:443", PUMP),
        ("red", BOTH),
        ("red ana", ANA),
        ("red -ana", PUMP),
        ("-118", ANA),
        ("118 thank", NONE),
        ('"bomba p-118"', PUMP),
        ('"118 bomba"', NONE),
        ('-"bomba p-118"', ANA),
        ("treasure", NONE),
        ('"hidden treasure"', NONE),
        ("data:treasure", NONE),
        ("state:failed", PUMP),
        ("state:delivered", ANA),
        ("-state:delivered", PUMP),
        ("state:failed,delivered", BOTH),
        ("result:success", ANA),
        ("cause:timeout", PUMP),
        ("-cause:timeout", ANA),
        ("status:409", PUMP),
        ("status:4xx,200", BOTH),
        ("status:200..299", ANA),
        ("-status:>=400", ANA),
        ("type:task", PUMP),
        ("type:COTUser", ANA),
        ("-action:create", PUMP),
        ("attempts:>1", PUMP),
        ("attempts:1", ANA),
        ("sub:wo_update", PUMP),
        ('sub:"users to hr"', ANA),
        ("-sub:users", PUMP),
        (f"sub:{PERSON}", ANA),
        ("company:austral", BOTH),
        ("response:thank", ANA),
        ("response:bomba", NONE),
        ('response:"thank you"', ANA),
        ("data.name:118", PUMP),
        ("-data.name:118", ANA),
        (f"data.asset:{ID}", PUMP),
        (f"data.name:{ID}", NONE),
        ("data.note:red", ANA),
        ("data.tags.colour:red", PUMP),
        ("data.tags.1.colour:red", NONE),
        ("/data/tags/0/colour:red", PUMP),
        ("/diff/~1data~1name/previous:117", PUMP),
        ("diff:117", PUMP),
        ("object:62742b7562f37034d9399914", PUMP),
        (f"id:{log_document(2)['_id']}", ANA),
        (f"-id:{log_document(2)['_id']}", PUMP),
        ("test:no", BOTH),
        ("test:yes", NONE),
        ("state:failed data.tags.colour:blue -ana status:4xx", PUMP),
    ],
)
def test_a_search_finds(client, text, expected):
    assert found(client, text) == expected


def test_a_search_finds_no_logs_of_other_companies(client, member):
    client.force_login(member("Viewer", make_company("625be93a286ef83c1c0e0000", "Other")))
    for text in (
        "118",
        ID,
        "data.name:118",
        '"bomba p-118"',
        "-nothing",
        "state:failed",
        "object:62742b7562f37034d9399914",
    ):
        assert found(client, text) == NONE


def test_words_are_not_split(client):
    """Quoted text is found exactly; the parts of an unquoted compound must be adjacent."""
    long = "x" * 70
    names = {
        1: "Bomba P-118",
        2: "CAEX 118",
        3: "Bomba P-204, CAEX 118",
        4: "Bomba P 118",
        5: "Bomba P-1180",
        6: "Costo 1.50",
        7: "Costo 1 de 50",
        8: "Costo 11.50",
        9: f"{long}first",
        10: f"{long}other",
        11: "plan B",
        12: "plan C-b2",
        13: "rota, P-118!",
    }
    data = [{"_id": f"62740000000000000000{number:04x}", "name": name} for number, name in names.items()]
    import_logs(*(log_document(number + 10, {"data": item}) for number, item in enumerate(data)))
    pump, others = "Bomba P-118", ["Bomba P 118", "rota, P-118!"]
    for text, expected in {
        '"P-118"': [pump, pump, "rota, P-118!"],
        '"p 118"': sorted([pump, pump, *others]),
        '"P-118!"': ["rota, P-118!"],
        "P-118": sorted([pump, pump, *others, "Bomba P-1180"]),
        "CAEX-118": ["Bomba P-204, CAEX 118", "CAEX 118"],
        "1.50": ["Costo 1.50"],
        '"1.50"': ["Costo 1.50"],
        "data.name:1.50": ["Costo 1.50"],
        f"{long}first": [f"{long}first"],
        f'"{long}first"': [f"{long}first"],
        f"-{long}first {long}": [],
        '"B"': ["plan B"],
        'plan "B"': ["plan B"],
        "C-b2": ["plan C-b2"],
        '"plan" -"B"': ["plan C-b2"],
        "-P-118 costo": ["Costo 1 de 50", "Costo 1.50", "Costo 11.50"],
        '"pla"': [],
        '"hidden"': [],
    }.items():
        assert found(client, text) == expected, text
