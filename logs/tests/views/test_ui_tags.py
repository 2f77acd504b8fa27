"""Template tags: exact markup in the zone and language of the user, with hostile values escaped."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.template import Context, Template
from django.utils import timezone, translation

from cotadmin.preferences import Preferences
from logs.templatetags.ui import STATES, duration, humanbytes

HOSTILE = "\"'><script>alert(1)</script>&"
ESCAPED = "&quot;&#x27;&gt;&lt;script&gt;alert(1)&lt;/script&gt;&amp;"
SANTIAGO = ZoneInfo("America/Santiago")  # four hours behind UTC in April, three in January


def render(source: str, **values: object) -> str:
    return Template("{% load ui %}" + source).render(Context(values))


def text_of(html: str) -> str:
    return html.partition(">")[2].removesuffix("</time>")


def icon_markup(name: str) -> str:
    return f'<svg class="icon" aria-hidden="true"><use href="/static/logs/icons.svg#{name}"/></svg>'


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> Iterator[datetime]:
    """The clock stands still; the user is in Santiago."""
    moment = datetime(2026, 4, 14, 13, 4, 0, tzinfo=UTC)
    monkeypatch.setattr(timezone, "now", lambda: moment)
    with timezone.override(SANTIAGO):
        yield moment


def test_an_icon_is_a_reference_into_the_sprite_and_hidden_from_screen_readers():
    assert render("{% icon 'mark' %}") == icon_markup("mark")


def test_every_icon_of_a_state_is_in_the_sprite(settings):
    sprite = (settings.BASE_DIR / "logs/static/logs/icons.svg").read_text()
    assert [symbol for symbol, _ in STATES.values() if f'<symbol id="{symbol}"' not in sprite] == []


@pytest.mark.parametrize(
    ("state", "symbol", "word"),
    [
        ("pending", "clock", "Pending"),
        ("retrying", "retry", "Retrying"),
        ("delivered", "check", "Delivered"),
        ("failed", "x", "Failed"),
        ("skipped", "skip", "Skipped"),
    ],
)
def test_a_state_is_shown_by_colour_icon_and_word(state, symbol, word):
    expected = f'<span class="badge" data-state="{state}">{icon_markup(symbol)}{word}</span>'
    assert render("{% state_badge state %}", state=state) == expected


def test_a_hostile_icon_name_cannot_leave_its_attribute():
    assert render("{% icon name %}", name=HOSTILE) == icon_markup(ESCAPED)


def test_an_unknown_state_is_shown_escaped():
    expected = f'<span class="badge" data-state="{ESCAPED}">{icon_markup("info")}{ESCAPED}</span>'
    assert render("{% state_badge state %}", state=HOSTILE) == expected


def test_when_shows_the_age_and_the_exact_time_in_the_users_zone_and_utc(now):
    assert render("{% when value %}", value=now - timedelta(minutes=18)) == (
        '<time datetime="2026-04-14T12:46:00Z"'
        ' title="14 Apr 2026 08:46:00 (-0400) · 2026-04-14 12:46:00 UTC" data-absolute="14 Apr 08:46:00">18 min</time>'
    )


def test_when_shows_the_exact_time_if_preferred_and_keeps_the_age(now):
    preferences = Preferences(times="exact")
    html = render("{% when value %}", value=now - timedelta(minutes=18), preferences=preferences)
    assert html.endswith(' data-absolute="14 Apr 08:46:00" data-relative="18 min">14 Apr 08:46:00</time>')
    html = render("{% when value %}", value=now - timedelta(days=200), preferences=preferences)
    assert text_of(html) == "26 Sep 2025 10:04"


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(minutes=3), "3 min ago"),
        (timedelta(days=7), "7 Apr 09:04"),
        (timedelta(seconds=-21), "in 21 s"),
    ],
)
def test_an_age_in_a_sentence_says_ago(now, ago, text):
    assert text_of(render("{% when value in_sentence=True %}", value=now - ago)) == text


@pytest.mark.parametrize(
    ("ago", "text"),
    [
        (timedelta(seconds=0), "0 s"),
        (timedelta(seconds=5), "5 s"),
        (timedelta(seconds=59), "59 s"),
        (timedelta(seconds=60), "1 min"),
        (timedelta(minutes=59, seconds=59), "59 min"),
        (timedelta(hours=1), "1 h"),
        (timedelta(hours=23, minutes=59), "23 h"),
        (timedelta(days=1), "1 d"),
        (timedelta(days=6, hours=23), "6 d"),
        (timedelta(days=7), "7 Apr 09:04"),
        (timedelta(days=200), "26 Sep 2025"),
        (timedelta(seconds=-21), "in 21 s"),
        (timedelta(hours=-2), "in 2 h"),
        (timedelta(days=-2), "16 Apr 09:04"),
    ],
)
def test_when_shortens_an_age_and_turns_to_the_date_after_a_week(now, ago, text):
    assert text_of(render("{% when value %}", value=now - ago)) == text


def test_the_year_is_in_the_users_zone_not_utc(monkeypatch):
    monkeypatch.setattr(timezone, "now", lambda: datetime(2027, 1, 1, 1, 0, tzinfo=UTC))  # still 2026 in Santiago
    with timezone.override(SANTIAGO):
        html = render("{% when value %}", value=datetime(2026, 12, 1, 12, 0, tzinfo=UTC))
    assert text_of(html) == "1 Dec 09:00"


def test_a_time_is_the_users_date_and_time_to_the_second(now):
    assert render("{% moment value %}", value=datetime(2026, 1, 9, 2, 5, 7, tzinfo=UTC)) == (
        '<time datetime="2026-01-09T02:05:07Z" title="8 Jan 2026 23:05:07 (-0300) · 2026-01-09 02:05:07 UTC">'
        "8 Jan 2026 23:05:07</time>"
    )


@pytest.mark.parametrize("tag", ["when", "moment"])
def test_an_unknown_time_is_a_dash(tag):
    assert render(f"{{% {tag} value %}}", value=None) == "–"


def test_times_and_numbers_follow_the_language_of_the_user(now):
    with translation.override("es"):
        assert (
            text_of(render("{% moment value %}", value=datetime(2026, 1, 9, 12, 0, tzinfo=UTC)))
            == "9 ene 2026 09:00:00"
        )
        assert duration(1300) == "1,3 s"
        assert humanbytes(1434) == "1,4 KB"


@pytest.mark.parametrize(
    ("milliseconds", "text"),
    [
        (None, "–"),
        (0, "0 ms"),
        (88, "88 ms"),
        (999, "999 ms"),
        (999.6, "1.0 s"),
        (1000, "1.0 s"),
        (1300, "1.3 s"),
        (1960, "2.0 s"),
        (10_000, "10.0 s"),
        (59_940, "59.9 s"),
        (59_960, "1 min"),
        (60_000, "1 min"),
        (7_200_000, "2 h"),
    ],
)
def test_a_duration_has_the_unit_that_keeps_it_short(milliseconds, text):
    assert duration(milliseconds) == text


@pytest.mark.parametrize(
    ("size", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1024, "1.0 KB"), (1434, "1.4 KB"), (1_048_575, "1.0 MB"), (6_501_171, "6.2 MB")],
)
def test_a_size_has_the_unit_that_keeps_it_short(size, text):
    assert humanbytes(size) == text
