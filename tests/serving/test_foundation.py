"""The server's foundation: keys, limits, headers, languages, versions, errors."""

from __future__ import annotations

import base64
import json
import logging
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from serving import i18n, keys
from serving.app import create_app
from serving.security import Limiter, is_loopback
from serving.snapshot import NothingPublishedError, QueryTooLongError, Snapshot, Snapshots
from tests.serving.conftest import local_client
from throughline.settings import REPOSITORY, ServingSettings, load_serving_settings

KEY = "open sesame"


def test_serving_imports_neither_dagster_nor_dbt() -> None:
    code = "import sys, serving.__main__, serving.export.worker; print(sorted(m for m in sys.modules if m.partition('.')[0] in ('dagster', 'dbt', 'dagster_dbt')))"  # noqa: E501
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    "given",
    [
        {"headers": {"X-API-Key": KEY}},
        {"params": {"key": KEY}},
        {"headers": {"Authorization": "Basic " + base64.b64encode(f"{KEY}:x".encode()).decode()}},
    ],
    ids=["header", "parameter", "basic"],
)
def test_a_key_opens_in_each_of_the_platforms_three_forms(
    keyed_client: TestClient, given: dict[str, dict[str, str]]
) -> None:
    assert keyed_client.get("/api/2/conversation", **given).json()["meta"]["status"] == "success"


@pytest.mark.parametrize("key", ["", "wrong", "open sesame ", "OPEN SESAME", "é\u0000"])
def test_another_key_does_not(keyed_client: TestClient, key: str) -> None:
    answer = keyed_client.get("/api/2/conversation", params={"key": key})
    assert answer.status_code == 401
    assert answer.json() == {"meta": {"status": "error", "message": "Forbidden"}}
    assert keyed_client.get("/", params={"key": key}).status_code == 401


def test_basic_that_is_no_basic_is_no_key(keyed_client: TestClient) -> None:
    for value in ("Basic", "Basic !!!", "Basic /////w==", "Bearer x"):
        answer = keyed_client.get("/api/2/conversation", headers={"Authorization": value})
        assert answer.status_code == 401


def test_the_keys_file_holds_hashes_and_opens_and_closes_without_a_restart(
    settings: ServingSettings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    file = tmp_path / "keys.json"
    monkeypatch.setenv("API_KEYS_FILE", str(file))
    assert keys.main(["add", "dashboard"]) == 0
    key = capsys.readouterr().out.strip()
    assert key not in file.read_text()
    assert keys.hashed(key) in file.read_text()
    assert file.stat().st_mode & 0o777 == 0o600
    client = local_client(create_app(settings.replaced(keys_file=file)))
    assert client.get("/health").status_code == 200
    assert client.get("/").status_code == 401
    assert client.get("/", params={"key": key}).status_code == 200
    assert keys.main(["add", "dashboard"]) == 1
    assert keys.main(["add", "other"]) == 0
    assert keys.main(["remove", "dashboard"]) == 0
    assert client.get("/", params={"key": key}).status_code == 401
    assert keys.main(["remove", "dashboard"]) == 1


def test_without_a_key_the_server_listens_on_loopback_alone(warehouse: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--host", "0.0.0.0"],
        cwd=REPOSITORY,
        env={**os.environ, "WAREHOUSE_DIR": str(warehouse)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "throughline keys add" in done.stderr


def test_without_a_key_a_name_from_elsewhere_is_refused(client: TestClient) -> None:
    assert client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert client.get("/", headers={"Host": "evil.example:8000"}).status_code == 403
    for name in ("localhost:8000", "127.0.0.1:8000", "[::1]:8000", "[::1]", "localhost"):
        assert client.get("/health", headers={"Host": name}).status_code == 200


def test_loopback_is_known_by_its_addresses() -> None:
    assert all(is_loopback(host) for host in ("localhost", "127.0.0.1", "127.9.9.9", "::1"))
    assert not any(is_loopback(host) for host in ("0.0.0.0", "::", "10.0.0.1", "example.org", ""))


def test_a_key_has_a_limit_of_its_own(settings: ServingSettings) -> None:
    limited = settings.replaced(api_key=KEY, requests_per_minute=12)
    client = local_client(create_app(limited))
    answers = [client.get("/api/2/conversation", params={"key": KEY}) for _ in range(6)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert [answer.status_code for answer in answers[:2]] == [200, 200]
    assert refused
    assert int(refused[0].headers["Retry-After"]) >= 1
    assert refused[0].json()["meta"]["status"] == "error"


def test_the_limiter_gives_back_at_an_even_rate() -> None:
    limiter = Limiter(600)
    assert sum(limiter.wait("a") == 0 for _ in range(150)) in range(100, 103)
    wait = limiter.wait("a")
    assert 0 < wait <= 0.1
    assert limiter.wait("b") == 0


def test_every_answer_carries_the_headers_of_a_careful_server(client: TestClient) -> None:
    for path in ("/", "/conversations", "/api/2/conversation", "/nothing/here", "/static/app.css"):
        headers = client.get(path).headers
        policy = headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "no-referrer"


def test_only_reading_is_possible(client: TestClient) -> None:
    for method in ("POST", "PUT", "PATCH", "DELETE"):
        for path in ("/", "/conversations", "/api/2/conversation", "/api/2/conversation/1"):
            assert client.request(method, path).status_code == 405


@pytest.mark.parametrize(
    "path",
    [
        "/static/../app.py",
        "/static/..%2f..%2fpyproject.toml",
        "/static/%2e%2e/%2e%2e/pyproject.toml",
        "/static//etc/passwd",
        "/conversations/..%2f..%2f..%2fetc%2fpasswd",
    ],
)
def test_a_path_leads_nowhere_else(client: TestClient, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "root:" not in answer.text
    assert "throughline:" not in answer.text


def test_an_address_that_is_too_long_is_refused(client: TestClient) -> None:
    answer = client.get("/conversations", params={"q": "x" * 10_000})
    assert answer.status_code == 414
    assert client.get("/api/2/conversation", params={"x": "y" * 10_000}).json()["meta"]


def test_no_header_can_be_slipped_in(client: TestClient) -> None:
    for path in ("/conversations", "/conversations/x%0d%0aSet-Cookie:%20a=b"):
        answer = client.get(path, params={"lang": "fr\r\nSet-Cookie: a=b", "id": "x\r\nA: b"})
        assert "a=b" not in answer.headers.get("set-cookie", "")
        assert "a" not in answer.headers


def test_nothing_personal_is_logged(client: TestClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    caplog.clear()
    client.get("/conversations", params={"q": "secret words", "visitor": "v-123", "key": "k-1"})
    client.get("/conversations/private-id")
    ours = "\n".join(
        record.getMessage() for record in caplog.records if record.name.startswith("throughline")
    )
    assert "/conversations" in ours
    for text in ("secret", "v-123", "private-id", "k-1", "testclient"):
        assert text not in ours


def test_an_unexpected_error_answers_and_tells_the_log_the_place_alone(
    settings: ServingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    app = create_app(settings)

    @app.get("/api/2/broken")
    def broken() -> None:
        raise ValueError("what the visitor wrote")

    answer = local_client(app).get("/api/2/broken")
    assert answer.status_code == 500
    assert answer.json()["meta"]["status"] == "error"
    assert "what the visitor wrote" not in answer.text
    messages = "\n".join(record.getMessage() for record in caplog.records)
    assert "unexpected ValueError" in messages
    assert "test_foundation.py" in messages
    assert "what the visitor wrote" not in messages


def test_before_the_first_publication_every_answer_says_so(tmp_path: Path) -> None:
    empty = load_serving_settings({"WAREHOUSE_DIR": str(tmp_path)})
    with pytest.raises(NothingPublishedError, match="make run"):
        Snapshots(empty).current()
    client = local_client(create_app(empty))
    assert client.get("/health").status_code == 503
    assert client.get("/").status_code == 503
    assert "make run" in client.get("/").text
    answer = client.get("/api/2/conversation")
    assert answer.status_code == 503
    assert "make run" in answer.json()["meta"]["message"]


def test_a_new_version_is_served_without_a_restart_and_an_old_one_stays_whole(
    settings: ServingSettings, tmp_path: Path
) -> None:
    copy = tmp_path / "published"
    shutil.copytree(settings.published_dir, copy, symlinks=True)
    served = Snapshots(settings.replaced(warehouse_dir=copy.parent))
    old = served.current()
    assert served.current() is old
    manifest = json.loads((copy / "manifest.json").read_text())
    shutil.copytree(copy / "versions" / old.version, copy / "versions" / "new")
    manifest["data_version"] = "new"
    manifest["database"]["path"] = "versions/new/throughline.duckdb"
    (copy / "next.json").write_text(json.dumps(manifest))
    (copy / "next.json").replace(copy / "manifest.json")
    new = served.current()
    assert new.version == "new"
    shutil.rmtree(copy / "versions" / old.version)
    count = "select count(*) as n from marts.conversations"
    assert old.value(count) == new.value(count) > 0
    (copy / "manifest.json").write_text("{")
    assert served.current() is new


def test_a_query_that_takes_too_long_is_stopped(snapshot: Snapshot) -> None:
    began = time.monotonic()
    with pytest.raises(QueryTooLongError):
        snapshot.rows(
            "select sum(a.range * b.range) from range(1000000) a, range(1000000) b", seconds=0.2
        )
    assert time.monotonic() - began < 30
    assert snapshot.value("select 1") == 1


def test_a_look_up_finds_what_a_query_finds(snapshot: Snapshot) -> None:
    for table in ("contacts", "messages", "transfers", "ratings", "transactions"):
        sql = (
            f"select * from marts.{table} where conversation_started_at = $at"
            " and conversation_id = $id order by all"
        )
        for row in snapshot.rows(
            "select started_at as at, conversation_id as id from marts.conversations"
            " order by transaction_count desc, transfer_count desc, id limit 20"
        ):
            assert snapshot.look_up(sql, row) == snapshot.rows(sql, row)


def test_a_look_up_that_fails_spoils_no_other(snapshot: Snapshot) -> None:
    for _ in range(3):
        with pytest.raises(Exception, match="nothing_like_it"):
            snapshot.look_up("select * from marts.nothing_like_it where a = $a", {"a": 1})
        assert snapshot.look_up("select $a as a", {"a": 1}) == [{"a": 1}]
    with pytest.raises(Exception, match=r"(?i)permission|disabled"):
        snapshot.look_up("select * from read_csv($a)", {"a": "/etc/passwd"})


def test_the_snapshot_gives_no_way_to_other_files(snapshot: Snapshot) -> None:
    for sql in (
        "select * from read_csv('/etc/passwd')",
        "set enable_external_access = true",
        "attach '/tmp/x.duckdb'",
        "create table marts.x as select 1",
    ):
        with pytest.raises(Exception, match=r"(?i)permission|configuration|read-only|disabled"):
            snapshot.rows(sql)


def test_the_language_is_asked_for_remembered_or_accepted(client: TestClient) -> None:
    french = client.get("/nothing", headers={"Accept-Language": "fr-CA,fr;q=0.9,en;q=0.5"})
    assert '<html lang="fr">' in french.text
    assert '<html lang="en">' in client.get("/nothing").text
    asked = client.get("/nothing", params={"lang": "fr"})
    assert '<html lang="fr">' in asked.text
    assert "SameSite=Strict" in asked.headers["set-cookie"]
    assert i18n.choose("", "en", "fr") == "en"
    assert i18n.choose("xx", "", "de, fr;q=0.3") == "fr"
    assert i18n.choose("", "", "de;q=x, *") == "en"


def test_numbers_dates_and_spans_are_the_readers() -> None:
    from datetime import date, datetime

    i18n.use("en")
    assert i18n.number(1234.5, 1) == "1,234.5"
    assert i18n.percent(0.355) == "35.5%"
    assert i18n.duration(185) == "3\u00a0min\u00a005\u00a0s"
    assert i18n.moment(datetime(2026, 10, 24, 23, 30), "Europe/Paris") == "25 Oct 2026, 01:30"
    assert i18n.zone_label("Europe/Paris", datetime(2026, 7, 1)) == "Europe/Paris (UTC+02:00)"
    i18n.use("fr")
    assert i18n.number(1234.5, 1) == "1\u202f234,5"
    assert i18n.percent(0.355) == "35,5\u00a0%"
    assert i18n.day(date(2026, 8, 3)) == "3 août 2026"
    assert i18n.duration(90_000) == "1\u00a0j\u00a01\u00a0h"
    assert i18n.number(None) == i18n.percent(None) == i18n.moment(None) == i18n.NOTHING
    i18n.use("en")


def test_the_vendored_files_are_those_of_the_registry() -> None:
    import hashlib

    folder = REPOSITORY / "serving" / "static" / "vendor"
    listed = dict(
        reversed(line.split("  ")) for line in (folder / "SHA256SUMS").read_text().splitlines()
    )
    assert set(listed) == {file.name for file in folder.iterdir() if file.suffix in (".js", ".css")}
    for name, digest in listed.items():
        assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest
