"""The payload on the page of a log: the tree, its places, the raw text, and what is too large or gone."""

import html
import json
import re
from urllib.parse import urlencode

import pytest
from django.urls import reverse

from logs.models import Payload

from ..factories import make_log, sample
from ..html import HTMX, text_of

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("viewer", "subscription")]
OBJECT = "62742b7562f37034d9399914"
PARTS = ("detail", "raw", "indented", "changes")


def log_with(**data):
    return make_log(event={"data": {"_id": OBJECT} | data})


def address(log, name: str) -> str:
    return reverse(f"logs:{name}", args=[log.pk])


def links_in(page) -> list[str]:
    return [html.unescape(link) for link in re.findall(r'href="([^"]+)"', page.content.decode())]


def keys_in(page) -> list[str]:
    """The pointers of the nodes that are on the page."""
    return [html.unescape(key) for key in re.findall(r'data-copy="(/[^"]*)"', page.content.decode())]


# Places


def test_each_match_opens_the_tree_at_its_place(client):
    log = log_with(items=[{"name": f"Pump {number}", "deep": {"x": number}} for number in range(250)])
    results = client.get(log.get_absolute_url(), {"find": "pump 217"})
    [link] = {link for link in links_in(results) if "at=" in link}
    page = client.get(link.partition("#")[0])
    [at] = re.findall(
        r'<li class="leaf" id="selected-node" aria-current="true">.*?</li>', page.content.decode(), re.DOTALL
    )
    assert "Pump 217" in at
    shown = keys_in(page)
    assert {"/data", "/data/items", "/data/items/212", "/data/items/217", "/data/items/217/deep"} <= {*shown}
    assert "/data/items/211" not in shown
    assert "/data/items/217/deep/x" not in shown


@pytest.mark.parametrize(
    ("query", "shown"),
    [
        ({"q": "pump state:failed"}, "“pump”: 1 of 1"),
        ({"q": '-other "Pump 7"'}, "“Pump 7”: 1 of 1"),
        ({"q": "data.name:pump"}, "“pump”: 1 of 1"),
        ({"q": "elsewhere"}, ""),  # in the response, say
        ({"q": "response:pump"}, "“pump”: 1 of 1"),
        ({"q": "state:failed"}, ""),
        ({"q": "nonsense:("}, ""),
        ({"q": "pump", "find": ""}, ""),
        ({"q": "pump", "find": "deep"}, "1 match for “deep”"),
    ],
)
def test_the_first_match_of_the_lists_search_is_opened(client, query, shown):
    log = log_with(name="Pump 7", deep=1)
    page = client.get(log.get_absolute_url(), query)
    notice = re.search(
        r'<div class="notice" data-variant="info" role="status".*?</b>', page.content.decode(), re.DOTALL
    )
    assert (text_of(page).count(shown) > 0 if shown else notice is None) is True


def test_an_opened_place_links_everything_before_and_after(client):
    log = log_with(items=list(range(250)))
    page = client.get(log.get_absolute_url(), {"at": "/data/items/120"})
    shown = [key for key in keys_in(page) if key.startswith("/data/items/")]
    while following := [link for link in links_in(page) if "end=" in link]:
        page = client.get(following[0], headers=HTMX)
        shown = [*keys_in(page), *shown]
    page = client.get(log.get_absolute_url(), {"at": "/data/items/120"})
    while following := [link for link in links_in(page) if "start=" in link and "items" in link]:
        page = client.get(following[-1], headers=HTMX)
        shown += keys_in(page)
    assert shown == [f"/data/items/{number}" for number in range(250)]


def test_a_deep_place_has_its_own_page(client):
    nested: dict = {"name": "needle"}
    for _level in range(30):
        nested = {"a": nested}
    log = log_with(nested=nested)
    results = client.get(log.get_absolute_url(), {"find": "needle"})
    [link] = {link for link in links_in(results) if "/payload/?" in link and "at=" in link}
    page = client.get(link)
    assert "“needle”: 1 of 1" in text_of(page)
    assert re.search(
        r'<li class="leaf" id="selected-node" aria-current="true">\s*<button class="key"[^>]*>name<',
        page.content.decode(),
    )
    assert f"{log.get_absolute_url()}" in links_in(page)
    [up] = [link for link in links_in(page) if link.startswith("?pointer=")]
    assert up == "?pointer=%2Fdata%2Fnested" + "%2Fa" * 29
    assert client.get(link.partition("?")[0] + up).status_code == 200


def test_a_page_of_children_links_back_to_the_log(client):
    log = log_with(items=list(range(300)))
    [before] = {
        link for link in links_in(client.get(log.get_absolute_url(), {"at": "/data/items/250"})) if "end=" in link
    }
    back = re.search(r'class="back-link" href="([^"]*)"', client.get(before).content.decode())[1]
    assert back == log.get_absolute_url()


def test_each_match_links_the_next(client):
    log = log_with(items=[f"pump {number}" for number in range(3)])
    first = client.get(log.get_absolute_url(), {"find": "pump"})
    places = ["/data/items/0", "/data/items/1", "/data/items/2"]
    page, seen = first, []
    while following := re.search(r'href="(/logs/[^"]*find=[^"]*)">(?:First|Next) match', page.content.decode()):
        page = client.get(html.unescape(following[1]))
        seen.append(re.search(r"“pump”: (\d) of 3", text_of(page))[1])
    assert seen == ["1", "2", "3"]
    back = re.search(r'href="(/logs/[^"]*find=[^"]*)"><svg.*?</svg>Previous match', page.content.decode())[1]
    assert urlencode({"at": places[1]}) in html.unescape(back)


@pytest.mark.parametrize(
    ("pointer", "is_place"), [("/data/items/217", True), ("/data/items/999", False), ("/data/password/deep", False)]
)
def test_a_pointer_finds_its_place(client, pointer, is_place):
    log = log_with(items=list(range(300)), password={"deep": "out of sight"})
    page = client.get(log.get_absolute_url(), {"find": pointer})
    assert ("1 match for" in text_of(page), "was not found in this payload" in text_of(page)) == (
        is_place,
        not is_place,
    )


def test_invisible_characters_of_a_value_are_written_out(client):
    log = log_with(note="\u202eevil\u0007 one\ntwo")
    page = re.sub(r'data-copy="[^"]*"', "", client.get(log.get_absolute_url()).content.decode())  # the value itself
    assert "\\u202eevil\\u0007 one\ntwo" in page
    assert "\u202e" not in page


@pytest.mark.parametrize("at", ["/nowhere", "/data/items/999", "x", "/data/password/deep", "/data/items/x/y"])
def test_a_missing_place_opens_the_tree_as_far_as_it_exists(client, at):
    log = log_with(items=[1, 2], password={"deep": "out of sight"})
    page = client.get(log.get_absolute_url(), {"at": at})
    assert page.status_code == 200
    assert "out of sight" not in page.content.decode()
    assert 'id="selected-node"' not in page.content.decode()


def test_matches_are_marked_in_the_value(client):
    log = log_with(note="el mecánico <b>MECANICO</b>", other="x" * 100 + "mecanico", deep={"mecanico": "no"})
    page = client.get(log.get_absolute_url(), {"find": "mecanico"}).content.decode()
    matches = re.findall(r'<span class="mono muted">([^\n]*)</span>\s*</li>', page)
    assert matches == [
        "el <mark>mecánico</mark> &lt;b&gt;MECANICO&lt;/b&gt;",
        f"…{'x' * 40}<mark>mecanico</mark>",
        "no",
    ]


def test_an_empty_string_is_visible_and_copied_unchanged(client):
    page = client.get(log_with(phone="").get_absolute_url()).content.decode()
    leaf = page[page.index('data-copy="/data/phone"') :].partition("</li>")[0]
    assert '<span class="string">""</span>' in leaf
    assert 'data-copy=""' in leaf


def test_matches_beyond_the_limit_are_mentioned(client):
    log = log_with(items=["needle"] * 101)
    assert "More than 100 matches for “needle”" in text_of(client.get(log.get_absolute_url(), {"find": "needle"}))


# Copying


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("/data/name", "Pump"),
        ("/data/n", "1.10"),
        ("/data/some", '{"b":[1,{"a":null}],"token":"••••••••"}'),
        ("/data/json", '{"token":"••••••••"}'),
        ("/data/long", "x" * 3000),
    ],
)
def test_every_value_can_be_copied_with_masked_values_masked(client, pointer, value):
    log = log_with(
        name="Pump", some={"b": [1, {"a": None}], "token": "hidden"}, json='{"token":"hidden"}', long="x" * 3000
    )
    Payload.objects.filter(pk=log.pk).update(
        event=Payload.objects.get(pk=log.pk).event.replace('"Pump"', '"Pump","n":1.10')
    )
    answer = client.get(address(log, "payload_value"), {"pointer": pointer})
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer.content.decode() == value


@pytest.mark.parametrize("pointer", ["/data/token", "/data/token/deep", "/data/token/nowhere", "/nowhere", "<script>"])
def test_masked_or_missing_values_cannot_be_copied(client, pointer):
    answer = client.get(address(log_with(token={"deep": "hidden"}), "payload_value"), {"pointer": pointer})
    assert answer.status_code == 400
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert "hidden" not in answer.content.decode()


def test_each_node_offers_its_pointer_and_its_value(client):
    log = log_with(some={"a": 1}, none={}, long="x" * 501)
    page = client.get(log.get_absolute_url())
    assert {"/data", "/data/some", "/data/none", "/data/long"} <= {*keys_in(page)}
    copied = re.findall(r'<button class="icon-button" (data-copy\S*)', page.content.decode())
    assert copied.count("data-copy-value") == 2
    assert 'data-copy="{}"' in copied
    assert f'data-copy-url="{address(log, "payload_value")}?pointer=%2Fdata%2Flong"' in copied


# The raw text, and large or expired payloads


def test_the_raw_view_is_the_stored_text_except_masked_values(client):
    log = log_with(name="Mecánico", n=[1, 2])
    spaced = Payload.objects.get(pk=log.pk).event.replace('"n":', '"password" : "hidden",\n  "n"  :  ')
    Payload.objects.filter(pk=log.pk).update(event=spaced)
    page = client.get(address(log, "webhook_log_raw")).content.decode()
    shown = html.unescape(re.search(r'<pre class="code-block"[^>]*>(.*?)</pre>', page, re.DOTALL)[1])
    assert shown == spaced.replace('"hidden"', '"••••••••"')


def test_the_indented_view_has_a_line_for_each_value_and_masks_the_same(client):
    log = log_with(name="Mecánico", n=[1, 2], inside='{"token": "hidden"}')
    stored = (
        Payload.objects.get(pk=log.pk)
        .event.replace('"n":', '"password" : {"hash": "hidden"},\n  "cost"  :  1.50, "n"  :  ')
        .replace("Mecánico", "Mec\\u00e1nico")
    )
    Payload.objects.filter(pk=log.pk).update(event=stored)
    page = client.get(address(log, "webhook_log_indented")).content.decode()
    shown = html.unescape(re.search(r'<pre class="code-block"[^>]*>(.*?)</pre>', page, re.DOTALL)[1])
    lines = shown.splitlines()
    masked = "••••••••"
    for line in (
        f'    "_id": "{OBJECT}",',
        '    "name": "Mec\\u00e1nico",',
        f'    "password": "{masked}",',
        '    "cost": 1.50,',
        '    "n": [',
        "      1,",
        "      2",
    ):
        assert line in lines
    assert json.loads(json.loads(shown)["data"]["inside"]) == {"token": masked}
    assert "hidden" not in shown
    tabs = re.findall(r'<a href="[^"]*"\s*(aria-current="page")?>(Tree|Raw|Indented)</a>', page)
    assert tabs == [("", "Tree"), ("", "Raw"), ('aria-current="page"', "Indented")]
    assert Payload.objects.get(pk=log.pk).event == stored  # and the raw view and the download are the same as before


def test_a_long_payload_is_raw_up_to_200_000_characters(client):
    log = log_with(text="x" * 300_000, password="hidden")
    page = client.get(address(log, "webhook_log_raw"))
    assert "Only the first 200000 characters are shown" in text_of(page)
    assert 199_000 < page.content.decode().count("x") < 201_000


@pytest.mark.parametrize("name", ["detail", "indented", "changes"])
def test_only_the_beginning_of_a_payload_over_5_mb_is_shown(client, name):
    secret = json.dumps({"password": "hidden " * 5000})
    log = log_with(start="the beginning", inside=secret, text="x" * 5_300_000)
    page = client.get(address(log, f"webhook_log_{name}"))
    assert "This payload is 5.1 MB." in text_of(page)
    assert "the beginning" in text_of(page)
    assert "hidden" not in text_of(page)
    assert len(page.content) < 60_000


@pytest.mark.parametrize("part", PARTS)
def test_every_part_says_that_the_payload_has_expired(client, part):
    log = log_with()
    Payload.objects.filter(pk=log.pk).delete()
    assert "The payload has expired." in text_of(client.get(address(log, f"webhook_log_{part}")))


@pytest.mark.parametrize("name", ["payload_curl", "payload_download", "payload_chunk", "payload_value"])
def test_pages_of_an_expired_payload_are_not_found(client, name):
    log = log_with()
    Payload.objects.filter(pk=log.pk).delete()
    assert client.get(address(log, name)).status_code == 404


def test_the_page_without_its_payload_offers_no_curl(client):
    log = log_with()
    curl = address(log, "payload_curl")
    assert curl in client.get(log.get_absolute_url()).content.decode()
    Payload.objects.filter(pk=log.pk).delete()
    assert curl not in client.get(log.get_absolute_url()).content.decode()


# Changes


@pytest.mark.parametrize("part", ["detail", "raw", "changes", "request", "response"])
@pytest.mark.parametrize(("diff", "number"), [({"/a": {"previous": 1}, "/b": {}}, 2), ({}, 0), ([1, 2], 0), (None, 0)])
def test_every_tab_says_how_many_fields_were_changed(client, part, diff, number):
    page = client.get(address(make_log(event={"diff": diff}), f"webhook_log_{part}")).content.decode()
    assert re.findall(r'>Changes <span class="count" >(\d)</span>', page) == [str(number)] * bool(number)


def test_a_long_change_is_folded_and_a_very_long_one_has_its_own_page(client):
    event = sample("event_user_edit")
    event["diff"] = {"/note": {"previous": "a" * 500, "changedTo": "b" * 30_000}}
    log = make_log(event=event)
    page = client.get(address(log, "webhook_log_changes"))
    assert "Show all 500 characters" in text_of(page)
    assert "Only the first 20,000 characters are shown." in text_of(page)
    [whole] = [link for link in links_in(page) if "payload/value" in link]
    assert client.get(whole).content.decode() == "b" * 30_000


# Of 4 MB, whatever is opened. How long it takes is measured by `benchmarks.pages`.


@pytest.fixture
def large():
    item = {"_id": OBJECT, "code": "P-118", "name": "Mecánico de turno", "done": True, "hours": 7.5, "note": None}
    return log_with(items=[item | {"number": number} for number in range(30_000)], long=["word " * 200] * 300)


@pytest.mark.parametrize("pointer", ["", "/data", "/data/items", "/data/items/29999", "/data/long"])
def test_a_chunk_of_a_4_mb_event_is_at_most_30_kb_long(client, large, pointer):
    assert len(Payload.objects.get(pk=large.pk).event.encode()) > 4_000_000
    answer = client.get(address(large, "payload_chunk"), {"pointer": pointer}, headers=HTMX)
    assert answer.status_code == 200
    assert len(answer.content) <= 30 * 1024
