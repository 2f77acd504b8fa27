from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from logs.cotalker import objectid

SAMPLE = "62742dd824c886d54e60f02b"
ITS_TIME = datetime(2022, 5, 5, 20, 4, 40, tzinfo=UTC)


def test_an_id_contains_its_time():
    assert objectid.objectid_time(SAMPLE) == ITS_TIME
    assert objectid.objectid_time("f" * 24) == datetime(2106, 2, 7, 6, 28, 15, tzinfo=UTC)


def test_a_new_id_has_its_creation_time():
    new_id = objectid.new_objectid(ITS_TIME)
    assert objectid.parse_objectid(new_id) == new_id
    assert objectid.objectid_time(new_id) == ITS_TIME
    assert objectid.objectid_time(objectid.new_objectid()) - datetime.now(UTC) < timedelta(seconds=2)


def test_new_ids_are_distinct_among_threads():
    with ThreadPoolExecutor(8) as pool:
        ids = list(pool.map(lambda _number: objectid.new_objectid(ITS_TIME), range(5000)))
    assert len(set(ids)) == 5000


def test_ids_sort_by_time():
    moments = [ITS_TIME + timedelta(seconds=number) for number in range(3)]
    ids = [objectid.new_objectid(moment) for moment in moments]
    assert ids == sorted(ids)
    assert ids[0] < objectid.lowest_objectid(moments[1]) <= ids[1]


def test_case_does_not_count():
    assert objectid.parse_objectid(SAMPLE.upper()) == SAMPLE
    assert objectid.is_objectid(SAMPLE.upper())


@pytest.mark.parametrize(
    "value",
    ["", SAMPLE[:-1], SAMPLE + "0", SAMPLE + "\n", "g" * 24, "٠" * 24, "K" * 24, None, 1, [SAMPLE], {"$oid": SAMPLE}],
)
def test_anything_else_is_rejected(value):
    assert not objectid.is_objectid(value)
    with pytest.raises(ValueError, match="not an ObjectId of 24 hex digits"):
        objectid.parse_objectid(value)
