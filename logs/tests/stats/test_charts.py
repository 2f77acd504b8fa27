import pytest

from logs.stats.charts import Rect, stacked_bars


def test_failures_are_at_the_bottom_and_deliveries_on_top():
    assert stacked_bars([(2, 6), (0, 0)], width=20, height=100, gap=2) == [
        [(0, Rect(1, 75, 8, 25)), (1, Rect(1, 0, 8, 75))],
        [],
    ]


@pytest.mark.parametrize("delivered", [0, 10, 99_999])
def test_one_failure_among_many_is_never_lower_than_3_percent(delivered):
    (_part, failed), *_delivered = stacked_bars([(1, delivered), (0, 100_000)], width=240, height=100)[0]
    assert failed == Rect(1, 97, 118, 3)


def test_a_bar_never_exceeds_the_chart():
    assert stacked_bars([(1, 99_999)], width=240, height=100) == [[(0, Rect(1, 97, 238, 3)), (1, Rect(1, 0, 238, 97))]]


def test_bars_fill_the_whole_width_side_by_side():
    rects = [rect for stack in stacked_bars([(0, 1)] * 7, width=70, height=100) for _part, rect in stack]
    assert [rect.x for rect in rects] == [1, 11, 21, 31, 41, 51, 61]
    assert {rect.width for rect in rects} == {8}


@pytest.mark.parametrize("counts", [[], [(0, 0)] * 3])
def test_without_traffic_nothing_is_drawn(counts):
    assert stacked_bars(counts, width=70, height=100) == [[] for _count in counts]
