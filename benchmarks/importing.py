"""Measures how fast logs are imported, and in how much memory: `python -m benchmarks.importing [--logs 100000]`.

Makes a file of logs from the published sample, with varied ids, objects and outcomes over 90 days. A separate process, whose
peak memory is measured, imports it into an empty database with all indexes. The reference in the same run is PostgreSQL's
own COPY of the same documents into a bare table. The last line is one JSON object.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random

from .database import fresh_database, log

SAMPLE = Path(__file__).parent.parent / "logs/samples/webhook_log_task_create_failed.json"
END = datetime(2026, 4, 14, tzinfo=UTC)
DAYS = 90
SUBSCRIPTIONS = 20
OUTCOMES = (
    (200, 1, '{"ok":true}'),
    (201, 1, ""),
    (409, 3, "connect ETIMEDOUT 67.225.146.248:443"),
    (502, 3, "<html><body>502 Bad Gateway</body></html>"),
)


def write_documents(path: Path, number: int) -> None:
    """Write `number` logs as NDJSON, each about 2 KB, no two alike."""
    random = Random(1)
    sample = json.loads(SAMPLE.read_text())
    data = sample["event"]["data"]
    words = [f"equipo{index}" for index in range(5000)]
    with path.open("w") as file:
        for index in range(number):
            moment = END - timedelta(days=DAYS) * (1 - index / number)
            stamp = f"{moment:%Y-%m-%dT%H:%M:%S}.{index % 1000:03d}Z"
            status, attempts, response = OUTCOMES[random.choices(range(4), (80, 10, 7, 3))[0]]
            data["_id"] = f"{random.getrandbits(96):024x}"
            data["asset"] = f"{random.getrandbits(96):024x}"
            data["name"] = f"{random.choice(words)} {random.choice(words)} {index}"
            data["modifiedAt"] = sample["event"]["createdAt"] = stamp
            file.write(
                json.dumps(
                    sample
                    | {
                        "_id": f"{int(moment.timestamp()):08x}{random.getrandbits(64):016x}",
                        "createdAt": stamp,
                        "status": status,
                        "retry": attempts,
                        "response": response,
                        "subscription": f"626859{index % SUBSCRIPTIONS:018x}",
                    }
                )
                + "\n"
            )


def import_file(path: Path) -> dict:
    """Import the file in this process: the counts, the seconds, and the peak memory in MB."""
    from logs.imports.importer import Importer
    from logs.management.import_command import CHUNK
    from logs.payloads.masking import masked_keys

    start = time.perf_counter()
    with path.open("rb") as file:
        summary = Importer(masked_keys()).import_logs(iter(lambda: file.read(CHUNK), b""))
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1024 if sys.platform != "darwin" else 1024 * 1024)
    return {"new": summary.new, "rejected": summary.rejected, "seconds": seconds, "peak_mb": peak}


def copy_seconds(path: Path) -> float:
    """The reference: seconds to COPY the same lines into a table with one json column."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE reference (document json)")
        start = time.perf_counter()
        with cursor.copy("COPY reference FROM STDIN") as copy, path.open() as file:
            for line in file:
                copy.write_row((line,))
        return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--logs", type=int, default=100_000)
    parser.add_argument("--import-only", metavar="FILE", help=argparse.SUPPRESS)
    parser.add_argument("--database", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.import_only:
        import django
        from django.conf import settings

        settings.DATABASES["default"]["NAME"] = options.database
        django.setup()
        print(json.dumps(import_file(Path(options.import_only))))
        return
    with tempfile.TemporaryDirectory() as folder, fresh_database():
        path = Path(folder) / "logs.ndjson"
        log(f"writing {options.logs} documents …")
        write_documents(path, options.logs)
        log(f"importing {path.stat().st_size / 1e6:.0f} MB …")
        from django.db import connection

        child = [sys.executable, "-m", "benchmarks.importing", "--import-only", str(path)]
        name = connection.settings_dict["NAME"]
        done = subprocess.run([*child, "--database", name], check=True, capture_output=True, text=True)
        measured = json.loads(done.stdout.splitlines()[-1])
        reference = copy_seconds(path)
    if measured["new"] != options.logs or measured["rejected"]:
        sys.exit(f"not all were new: {measured}")
    print(
        json.dumps(
            {
                "logs": options.logs,
                "seconds": round(measured["seconds"], 1),
                "logs_per_second": round(options.logs / measured["seconds"]),
                "peak_mb": round(measured["peak_mb"], 1),
                "copy_ratio": round(reference / measured["seconds"], 3),
            }
        )
    )


if __name__ == "__main__":
    main()
