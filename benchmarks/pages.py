"""Measures the time of single pages and texts: `python -m benchmarks.pages`.

Tests assert no times, because their machine may be slow or busy; this measures the ones that matter. The last line is one JSON
object:
chunk_ms: CPU time for a chunk of a 4 MB event, for the slowest pointer · rows_ms: how long Chromium is busy with fifty more rows
of the explorer, plain_rows_ms: with the same rows as plain HTML · …_growth: how many times as long a hostile text takes if it is
twice as long, the worst of several: 2 is proportional, 4 is quadratic · …_ms: the slowest.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from functools import partial
from importlib import import_module
from statistics import median
from typing import Any

from .database import fresh_database, log

ROUNDS = 5
POINTERS = ("", "/data", "/data/items", "/data/items/29999", "/data/long")
# The inputs of each function: a text to repeat, and how often.
ANSWERS = {"a": 250_000, "a=": 60_000, "\\": 250_000, "token=": 12_000, " ": 250_000}
FILES = {
    b'\\"': 150_000,
    b"{": 150_000,
    b"[": 150_000,
    b"]": 15_000,
    b'{"a": [1,\n': 2_500,
    b"[" * 101 + b"[],": 1_500,
}
RESPONSES = dict.fromkeys(("<", "a", "1", "1.", "0:", "[0", "://", "ENOTFOUND ", "ECONNREFUSED a", "Error: "), 4_096)


def processor_ms(work: Callable[[], object]) -> float:
    """The median CPU time of several rounds: the machine may be busy with other work."""
    times = []
    for _round in range(ROUNDS):
        begun = time.process_time()
        work()
        times.append(1000 * (time.process_time() - begun))
    return median(times)


def growth(work: Callable[[Any], object], texts: dict[Any, int]) -> tuple[float, float]:
    """How many times as long the worst text takes if it is twice as long; and the ms that the slowest takes then."""
    pairs = []
    for text, count in texts.items():
        log(f"{work.__name__}: {text[:10]!r}")
        once, twice = (processor_ms(partial(work, text * size)) for size in (count, 2 * count))
        pairs.append((twice / max(once, 1), twice))
    return round(max(ratio for ratio, _ms in pairs), 1), round(max(ms for _ratio, ms in pairs), 1)


def mask(text: str) -> object:
    from logs.payloads.masking import mask_text, masked_keys

    return mask_text(text, masked_keys())


def split(data: bytes) -> object:
    from logs.cotalker import json_stream

    return list(json_stream.iter_documents([b'{"' + data + b"\n"]))


def fingerprint(text: str) -> object:
    from logs.cotalker import outcomes

    outcomes.classify_outcome(500, f"request to {text} failed")
    return outcomes.fingerprint(text, 500, outcomes.Cause.HTTP_5XX)


def chunk_ms() -> float:
    """CPU time of a chunk, for the pointer into the event that takes longest."""
    from django.test import Client
    from django.urls import reverse

    from logs.tests.factories import make_log, make_subscription

    make_subscription()
    items = [{"_id": f"{number:024x}", "code": "P-118", "name": "Mecánico", "done": True} for number in range(45_000)]
    event = {"data": {"_id": f"{1:024x}", "items": items, "long": ["word " * 200] * 300}}
    address = reverse("logs:payload_chunk", args=[make_log(event=event).pk])
    client = Client(SERVER_NAME="localhost")
    client.force_login(superuser())
    headers = {"HX-Request": "true"}
    return max(
        processor_ms(partial(client.get, address, {"pointer": pointer}, headers=headers)) for pointer in POINTERS
    )


def superuser():
    from django.contrib.auth.models import User

    return User.objects.filter(is_superuser=True).first() or User.objects.create_superuser("root")


def rows_ms() -> tuple[float, float]:
    """The ms for fifty more rows, and for the same rows as plain HTML, without painting, which depends on the machine."""
    from playwright.sync_api import sync_playwright

    from logs.tests.factories import import_logs, log_document

    from .explorer import sign_in
    from .ingest import web_server

    chromium = import_module("cotadmin.tests.browser")
    import_logs(*(log_document(number) for number in range(1, 261)))
    session = sign_in("root", is_superuser=True)
    with web_server(path="", LOG_LEVEL="WARNING") as server, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium.executable(), args=["--no-sandbox"])
        context = browser.new_context(base_url=server)
        context.add_cookies([{"name": "sessionid", "value": session, "url": server}])
        page, plain = context.new_page(), context.new_page()
        _open(page)
        plain.set_content("<table><tbody></tbody></table>")
        busy, plainly_busy = _busy(page), _busy(plain)
        rows, ours, theirs = page.locator("[data-rows] tr[data-log]"), [], []
        for count in (100, 150, 200, 250):
            begun = busy()
            page.locator("[data-load-more]").dispatch_event("click")
            rows.nth(count - 1).wait_for()
            ours.append(busy() - begun)
            html = "".join(row.evaluate("row => row.outerHTML") for row in rows.all()[-50:])
            begun = plainly_busy()
            plain.evaluate(
                "html => { document.querySelector('tbody').innerHTML = html; document.body.offsetHeight }", html
            )
            theirs.append(plainly_busy() - begun)
        browser.close()
    return median(ours), median(theirs)


def _open(page) -> None:
    from playwright.sync_api import Error

    until = time.monotonic() + 60
    while True:
        try:
            page.goto("/logs/")
            return
        except Error:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)


def _busy(page) -> Callable[[], float]:
    """How long a page has been busy with scripts, styles and layout."""
    session = page.context.new_cdp_session(page)
    session.send("Performance.setTimeDomain", {"timeDomain": "threadTicks"})  # other work on the machine does not count
    session.send("Performance.enable")
    parts = ("ScriptDuration", "RecalcStyleDuration", "LayoutDuration")
    return lambda: (
        1000
        * sum(
            metric["value"] for metric in session.send("Performance.getMetrics")["metrics"] if metric["name"] in parts
        )
    )


def main() -> None:
    result: dict[str, float] = {}
    with fresh_database():
        from django.core.management import call_command

        call_command("collectstatic", interactive=False, verbosity=0)
        jobs: list[tuple[Callable[[Any], object], dict[Any, int]]] = [
            (mask, ANSWERS),
            (split, FILES),
            (fingerprint, RESPONSES),
        ]
        for work, texts in jobs:
            result[f"{work.__name__}_growth"], result[f"{work.__name__}_ms"] = growth(work, texts)
        result["chunk_ms"] = round(chunk_ms(), 1)
        result["rows_ms"], result["plain_rows_ms"] = (round(ms, 1) for ms in rows_ms())
    print(json.dumps(result))


if __name__ == "__main__":
    main()
