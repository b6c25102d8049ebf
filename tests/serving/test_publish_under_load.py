"""A publication while many clients read: nobody notices but for the version."""

from __future__ import annotations

import http.client
import json
import shutil
import threading
import time
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest

from serving.snapshot import Snapshot
from tests.published_sample import publish
from tests.serving.conftest import serve

CLIENTS = 50
LATE = (
    "contact_id,started_at,agent_id,agent_kind,visitor_id,project_id,channel,answered_at,ended_at,"
    "end_reason\n"
    "late-{number},2026-11-10T10:00:00Z,1,human,v-late,1,chat,2026-11-10T10:01:00Z,"
    "2026-11-10T10:09:00Z,close\n"
)


@pytest.fixture
def own_warehouse(warehouse: Path, tmp_path: Path) -> Path:
    """A copy of the sample's warehouse, in which a test may publish."""
    folder = tmp_path / "warehouse"
    shutil.copytree(warehouse, folder, symlinks=True)
    return folder


def _publish(landing: Path, folder: Path, number: int) -> str:
    file = landing / "bluewing_travel" / "contacts" / f"late_{number}.csv"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(LATE.format(number=number))
    return publish(landing, folder)


def test_fifty_clients_read_through_a_publication(
    own_warehouse: Path, snapshot: Snapshot, tmp_path: Path
) -> None:
    ids = [
        row["conversation_id"]
        for row in snapshot.rows(
            "select conversation_id from marts.conversations order by started_at limit 40"
        )
    ]
    paths = [
        *(f"/api/2/conversation/{quote(id_, safe='')}" for id_ in ids[:10]),
        *(f"/conversations/{quote(id_, safe='')}" for id_ in ids[10:14]),
        "/api/2/conversation?full=1&limit=5",
        "/conversations",
        "/reports/statistics",
        "/",
    ]
    stop = threading.Event()
    failures: list[str] = []
    versions: list[set[str]] = []
    lock = threading.Lock()

    def read(number: int, address: str) -> None:
        parts = urlsplit(address)
        seen: list[str] = []
        connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=60)
        step = number
        while not stop.is_set():
            path = paths[step % len(paths)]
            step += 1
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
            except OSError as error:
                failures.append(f"{path}: {error}")
                return
            version = answer.headers.get("X-Data-Version", "")
            if answer.status != 200 or not version:
                failures.append(f"{path}: {answer.status} {body[:200]!r}")
                return
            if path.startswith("/api/"):
                if json.loads(body)["meta"]["status"] != "success":
                    failures.append(f"{path}: {body[:200]!r}")
                    return
            elif version.encode() not in body:
                failures.append(f"{path}: the page names another version than its header")
                return
            if not seen or seen[-1] != version:
                seen.append(version)
        with lock:
            # A client never goes back to a version that it has seen replaced.
            if len(seen) != len(set(seen)):
                failures.append(f"back and forth between versions: {seen}")
            versions.append(set(seen))

    landing = tmp_path / "landing"
    with serve(own_warehouse) as address:
        threads = [threading.Thread(target=read, args=(n, address)) for n in range(CLIENTS)]
        for thread in threads:
            thread.start()
        said = _publish(landing, own_warehouse, 1)
        time.sleep(2)
        stop.set()
        for thread in threads:
            thread.join(120)
    assert "What is new touches 0 of" in said
    assert not failures, failures[:5]
    assert len(versions) == CLIENTS
    assert len(set.union(*versions)) == 2
