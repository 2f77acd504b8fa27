"""Garbage collection between two pages."""

from __future__ import annotations

import gc
import weakref

import pytest

from cotadmin import gc_tuning


class Node:
    """A cycle, which is not freed by itself."""

    def __init__(self) -> None:
        self.me = self


@pytest.fixture(autouse=True)
def no_other_collection():
    thresholds = gc.get_threshold()
    gc.collect()
    gc.set_threshold(gc_tuning.GC_HARD_THRESHOLD)
    yield
    gc.set_threshold(*thresholds)


def test_much_garbage_is_collected_after_a_page_and_little_is_left():
    last = weakref.ref(Node())
    gc_tuning.collect_garbage()
    assert last() is not None
    nodes = [Node() for _ in range(gc_tuning.GC_THRESHOLD + 1)]
    del nodes
    gc_tuning.collect_garbage()
    assert last() is None
