import pytest

from logs.charts import Bar, Rect, stacked_bars


def test_failures_stand_on_the_base_line_and_delivered_on_top_of_them():
    assert stacked_bars([(6, 2), (0, 0)], width=20, height=100, gap=2) == [
        Bar(6, 2, ok=Rect(1, 0, 8, 75), failed=Rect(1, 75, 8, 25)),
        Bar(0, 0, ok=None, failed=None),
    ]


@pytest.mark.parametrize("ok", [0, 10, 99_999])
def test_one_failure_among_many_is_never_lower_than_3_percent(ok):
    few = stacked_bars([(ok, 1), (100_000, 0)])[0]
    assert few.failed == Rect(1, 97, 118, 3)


def test_a_bar_never_grows_out_of_the_chart():
    bar = stacked_bars([(99_999, 1)])[0]
    assert bar.ok == Rect(1, 0, 238, 97)
    assert bar.failed == Rect(1, 97, 238, 3)


def test_bars_stand_side_by_side_over_the_whole_width():
    bars = stacked_bars([(1, 0)] * 7, width=70, gap=2)
    assert [bar.ok.x for bar in bars] == [1, 11, 21, 31, 41, 51, 61]
    assert {bar.ok.width for bar in bars} == {8}


@pytest.mark.parametrize("counts", [[], [(0, 0)] * 3])
def test_without_traffic_nothing_is_drawn(counts):
    assert [(bar.ok, bar.failed) for bar in stacked_bars(counts)] == [(None, None)] * len(counts)
