from datetime import UTC, datetime

import pytest
from django.db import connection
from django.utils import timezone

from logs.cotalker import objectid
from logs.db.payload_partitions import ensure_partitions_for, partition_names
from logs.models import Payload

from ..factories import import_logs, log_document, sample

pytestmark = pytest.mark.django_db
SAMPLE = sample("webhook_log_task_create_failed")


def objectid_of(year: int, month: int, day: int = 1) -> str:
    return objectid.new_objectid(datetime(year, month, day, tzinfo=UTC))


def partition_of(pk: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT tableoid::regclass::text FROM logs_payload WHERE log_id = %s", [pk])
        return cursor.fetchone()[0]


def test_an_import_creates_the_partition_of_the_id():
    assert "logs_payload_2022_05" not in partition_names()
    import_logs(SAMPLE)
    assert "logs_payload_2022_05" in partition_names()
    assert partition_of(SAMPLE["_id"]) == "logs_payload_2022_05"


def test_the_partition_follows_the_id_and_not_the_document():
    pk = objectid_of(2022, 7)
    import_logs(log_document(_id=pk))
    assert partition_of(pk) == "logs_payload_2022_07"


@pytest.mark.parametrize(
    ("pk", "name"),
    [
        ("62be38ff" + "f" * 16, "logs_payload_2022_06"),  # the last second of June
        ("62be3900" + "0" * 16, "logs_payload_2022_07"),
        ("61cf997f" + "f" * 16, "logs_payload_2021_12"),
        ("61cf9980" + "0" * 16, "logs_payload_2022_01"),
    ],
)
def test_partitions_meet_without_a_gap(pk, name):
    import_logs(log_document(_id=pk))
    assert partition_of(pk) == name


@pytest.mark.parametrize("pk", ["0" * 24, "f" * 24, objectid.lowest_objectid(datetime(2009, 12, 31, tzinfo=UTC))])
def test_ids_with_an_odd_time_stay_in_the_default_partition(pk):
    before = partition_names()
    import_logs(log_document(_id=pk))
    assert partition_of(pk) == "logs_payload_default"
    assert partition_names() == before


def test_an_id_more_than_a_year_ahead_stays_in_the_default_partition():
    pk = objectid_of(timezone.now().year + 2, 1)
    import_logs(log_document(_id=pk))
    assert partition_of(pk) == "logs_payload_default"


def test_rows_of_the_default_partition_move_when_their_partition_is_created():
    june, july = objectid_of(2022, 6), objectid_of(2022, 7)
    for pk in (june, july):
        Payload.objects.create(pk=pk, event='{"a":1.10}', search="pump")
    assert partition_of(june) == partition_of(july) == "logs_payload_default"
    ensure_partitions_for([june])
    assert (partition_of(june), partition_of(july)) == ("logs_payload_2022_06", "logs_payload_default")
    assert Payload.objects.get(pk=june).event == '{"a":1.10}'
    assert Payload.objects.filter(search__matches="'pump'").count() == 2


def test_creating_a_partition_again_changes_nothing(django_assert_num_queries):
    pk = objectid_of(2022, 6)
    ensure_partitions_for([pk])
    before = partition_names()
    with django_assert_num_queries(1):
        ensure_partitions_for([pk, objectid_of(2022, 6, 30), "f" * 24])
    assert partition_names() == before


def test_a_partition_has_the_search_index_and_the_key():
    ensure_partitions_for([objectid_of(2022, 6)])
    with connection.cursor() as cursor:
        cursor.execute("SELECT indexdef FROM pg_indexes WHERE tablename = 'logs_payload_2022_06'")
        definitions = " ".join(definition for (definition,) in cursor.fetchall())
    assert "USING gin (search)" in definitions
    assert "UNIQUE INDEX" in definitions
