"""Measures how fast the explorer answers: `python -m benchmarks.explorer [--logs 1000000] [--growth-from RESULT]`.

The pages are served as the README says, over HTTP, to a person who sees all logs and to an operator whose company owns 1 % of
them. There are twelve filters; one matches nothing. Times are to the first byte; each `…_p95_ms` is over all of its requests.
The first run loads the data, and later runs use it again (see explorer_data). The last line is one JSON object:
first_page: without a filter · with each of the filters: filtered, deep_page (halfway down the list), facets, histogram (of
thirty days), search_rare (the id of an asset), search_common (a word of every event), detail (a log within that list) ·
overview, live (the poll of every page): with 200 open incidents; …_ratio: their p95 ÷ that of first_page ·
requests: how many requests to our pages were timed · admin: Django's own admin, with the same columns and filters, for the
person who sees all · vs_admin: its p95 ÷ that of our pages with the same filters · growth: the worst ratio of a p95 to the same
in an earlier result, for example of fewer logs; …_growth: each.
"""

from __future__ import annotations

import argparse
import http.client
import json
from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from statistics import median, quantiles
from urllib.parse import urlsplit

from .database import kept_database, log
from .explorer_data import is_loaded, load, make_incidents
from .explorer_logs import SMALL_COMPANY, subscription_id
from .explorer_requests import Browser, Requests, address, admin_queries, filters

ADMIN_SECONDS = 120
INCIDENTS = 200  # open ones


def sign_in(name: str, *, is_superuser: bool) -> str:
    """The session of the person with that name, who is created if necessary."""
    from django.contrib.auth.models import Group, User
    from django.test import Client

    from logs.models import Company

    user, _is_new = User.objects.get_or_create(username=name, is_superuser=is_superuser, is_staff=is_superuser)
    if not is_superuser:
        user.groups.add(Group.objects.get(name="Operator"))
        Company.objects.get(pk=SMALL_COMPANY).users.add(user)
    client = Client()
    client.force_login(user)
    return client.cookies["sessionid"].value


Times = dict[str, dict[str, list[float]]]  # in ms, by kind, then by person and filter


def measured(total: int, now: datetime, rounds: int, *, with_admin: bool) -> tuple[Times, list[float]]:
    """The times of our pages and of the plain admin's. Each round requests both, because the machine may have slow minutes."""
    from .ingest import web_server

    ours: Times = {}
    admins: list[float] = []
    with ExitStack() as servers:
        server = servers.enter_context(web_server(path="", LOG_LEVEL="WARNING"))
        _wait_for(server)
        people = {
            "all": Browser(server, sign_in("sees_all", is_superuser=True)),
            "one company": Browser(server, sign_in("operator", is_superuser=False)),
        }
        if with_admin:
            of_admin = {"LOG_LEVEL": "WARNING", "DJANGO_SETTINGS_MODULE": "benchmarks.plain_admin.settings"}
            plain = servers.enter_context(web_server(path="", **of_admin))
            _wait_for(plain, "/plain/login/")
            in_admin = Browser(plain, sign_in("sees_all", is_superuser=True), ADMIN_SECONDS)
        requests, details = Requests(total, now), _details()
        for number in range(rounds + 1):
            log(f"round {number} of {rounds}")
            is_kept = number > 0  # the first round warms up
            for name, query in filters(now).items():
                for who, browser in people.items():
                    for kind, url in [*requests.of(query), ("detail", address(details(who), query))]:
                        ms = browser.ms_to_first_byte(url)
                        if is_kept:
                            ours.setdefault(kind, {}).setdefault(f"{who}, {name}", []).append(ms)
            for query in admin_queries(now).values() if with_admin else ():
                ms = in_admin.ms_to_first_byte(address("/plain/logs/webhooklog/", query))
                admins += [ms] if is_kept else []
    return ours, admins


def _details() -> Callable[[str], str]:
    """URLs of logs that the person may see."""
    from logs.models import WebhookLog

    newest = WebhookLog.objects.order_by("-created_at")
    of_company = newest.filter(subscription=subscription_id(0))
    logs = {"all": list(newest[:200]), "one company": list(of_company[:200])}
    random = Random(5)
    return lambda who: random.choice(logs[who]).get_absolute_url()


def _wait_for(server: str, path: str = "/healthz") -> None:
    from .delivery_fixtures import wait_for

    def answers() -> bool:
        connection = http.client.HTTPConnection(urlsplit(server).netloc)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    wait_for(answers)


def p95(times: list[float]) -> float:
    return round(quantiles(times, n=20)[-1], 1)


def results(total: int, now: datetime, rounds: int, *, with_admin: bool) -> dict[str, float]:
    """The results as in the last line, except the growth."""
    by_kind, admin = measured(total, now, rounds, with_admin=with_admin)
    figures: dict[str, float] = {
        "logs": total,
        "requests": sum(len(ms) for by_filter in by_kind.values() for ms in by_filter.values()),
    }
    for kind, by_filter in by_kind.items():
        figures[f"{kind}_p95_ms"] = p95([ms for times in by_filter.values() for ms in times])
        worst = max(by_filter, key=lambda name: median(by_filter[name]))
        log(f"{kind}: p95 {figures[f'{kind}_p95_ms']} ms; slowest: {worst}, median {median(by_filter[worst]):.0f} ms")
    for kind in ("overview", "live"):
        figures[f"{kind}_ratio"] = round(figures[f"{kind}_p95_ms"] / figures["first_page_p95_ms"], 2)
    if with_admin:
        ours = [ms for name in admin_queries(now) for ms in by_kind["filtered"][f"all, {name}"]]
        figures["admin_p95_ms"] = p95(admin)
        figures["vs_admin"] = round(p95(admin) / p95(ours), 1)
    return figures


def growth(figures: dict[str, float], earlier: dict[str, float]) -> dict[str, float]:
    """The growth of each kind, and the largest."""
    ours = [name for name in figures if name.endswith("_p95_ms") and name != "admin_p95_ms"]
    grown = {name.replace("p95_ms", "growth"): round(figures[name] / earlier[name], 2) for name in ours}
    return grown | {"growth": max(grown.values())}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=1_000_000, help="how many (default 1000000)")
    parser.add_argument("--growth-from", type=Path, metavar="RESULT", help="a file with the JSON of an earlier run")
    parser.add_argument("--rounds", type=int, default=6, help="of all requests, after one that warms up (default 6)")
    parser.add_argument("--without-admin", action="store_true", help="which takes minutes where logs are many")
    options = parser.parse_args()
    with kept_database(f"explorer_{options.logs}"):
        from django.core.management import call_command

        if not is_loaded(options.logs):
            log(json.dumps(load(options.logs)))
        make_incidents(INCIDENTS)
        call_command("collectstatic", interactive=False, verbosity=0)
        figures = results(options.logs, datetime.now(UTC), options.rounds, with_admin=not options.without_admin)
    if options.growth_from:
        figures |= growth(figures, json.loads(options.growth_from.read_text().splitlines()[-1]))
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
