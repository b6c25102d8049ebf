"""Who is answered: without a key this machine alone, with a key whoever has it, and what a proxy, a
browser elsewhere and whoever watches the server are told."""

from __future__ import annotations

import base64
import gzip
import http.client
import json
import logging
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from fastapi.responses import RedirectResponse

from serving import keys
from serving.__main__ import OPTIONS
from serving.app import create_app
from serving.keys import Key
from serving.security import is_loopback, without_key
from serving.snapshot import Snapshots
from tests.serving.conftest import local_client
from throughline.settings import REPOSITORY, ServingSettings, load_serving_settings

ASKED = "/api/2/conversation"
FORWARDING = [
    "Forwarded",
    "X-Forwarded-For",
    "X-Forwarded-Host",
    "x-forwarded-proto",
    "X_Forwarded_For",
    "X-Real-IP",
    "Via",
]


@contextmanager
def _running(settings: ServingSettings, host: str = "127.0.0.1") -> Iterator[int]:
    """A real server over the settings; gives its port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.bind((host, 0))
        port = probe.getsockname()[1]
    server = uvicorn.Server(
        uvicorn.Config(create_app(settings), host=host, port=port, log_level="critical", **OPTIONS)
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.02)
        yield port
    finally:
        server.should_exit = True
        thread.join(20)


def _status(port: int, host: str = "127.0.0.1", path: str = ASKED, **headers: str) -> int:
    connection = http.client.HTTPConnection(host, port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request("GET", path, headers=named)
    status = connection.getresponse().status
    connection.close()
    return status


def _raw(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        plain.sendall(request)
        return plain.recv(12)


def _keyed(settings: ServingSettings, folder: Path, **members: Any) -> ServingSettings:
    """Settings with one key, `k`."""
    file = folder / "keys.json"
    key = Key("one", keys.hashed("k"), "2026-01-01", **members)
    file.write_text(json.dumps({"one": key.to_json()}))
    return settings.replaced(keys_file=file)


def test_taking_the_last_key_away_closes_the_server(
    settings: ServingSettings, tmp_path: Path
) -> None:
    everywhere = _keyed(settings, tmp_path).replaced(host="0.0.0.0")
    with _running(everywhere) as port:
        assert _status(port, X_API_Key="k") == 200
        (tmp_path / "keys.json").write_text("{}")
        assert _status(port, Host="localhost") == 401
        (tmp_path / "keys.json").unlink()
        for host in ("localhost", "127.0.0.1", f"localhost:{port}", "[::1]"):
            assert _status(port, Host=host) == 401
        assert _status(port, X_API_Key="k") == 401
        assert _status(port, path="/health") == 200


def test_without_a_key_an_open_listener_answers_nobody_and_says_why(
    settings: ServingSettings, caplog: pytest.LogCaptureFixture
) -> None:
    with _running(settings.replaced(host="0.0.0.0")) as port:
        for _ in range(3):
            assert _status(port, Host="localhost") == 403
        assert _status(port, path="/", Host="localhost") == 403
    said = [each for each in caplog.messages if "there is no key" in each]
    assert len(said) == 1
    assert "throughline keys add" in said[0]


@pytest.mark.parametrize("header", FORWARDING)
def test_without_a_key_what_a_proxy_passes_on_is_not_answered(
    settings: ServingSettings, header: str
) -> None:
    client = local_client(create_app(settings))
    assert client.get(ASKED).status_code == 200
    assert client.get(ASKED, headers={header: "127.0.0.1"}).status_code == 403
    assert client.get("/", headers={header: ""}).status_code == 403


def test_a_proxy_and_no_key_is_refused_at_the_start_and_later(
    settings: ServingSettings, warehouse: Path
) -> None:
    client = local_client(create_app(settings.replaced(behind_proxy=True)))
    for headers in ({}, {"X-Forwarded-For": "10.0.0.1"}, {"X-Forwarded-For": "127.0.0.1"}):
        assert client.get(ASKED, headers=headers).status_code == 403
    done = subprocess.run(
        [sys.executable, "-m", "serving", "--port", "1"],
        cwd=REPOSITORY,
        env={**os.environ, "WAREHOUSE_DIR": str(warehouse), "SERVE_BEHIND_PROXY": "on"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 2
    assert "SERVE_BEHIND_PROXY" in done.stderr


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8000",
        "localhost.",
        "localhost.:8000",
        "127.0.0.1",
        "127.0.0.2",
        "127.8.9.10:80",
        "[::1]",
        "[::1]:8000",
        "[::ffff:127.0.0.1]",
    ],
)
def test_without_a_key_every_name_of_this_machine_is_taken(
    settings: ServingSettings, host: str
) -> None:
    client = local_client(create_app(settings))
    assert client.get(ASKED, headers={"Host": host}).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "",
        "testserver",
        "evil.example",
        "localhost.evil.example",
        "localhost:80@evil.example",
        "evil.example#localhost",
        "localhost localhost",
        "localhost, evil.example",
        "localhost:evil",
        "localhost..",
        "127.0.0.1.nip.io",
        "127.1",
        "2130706433",
        "0x7f.0.0.1",
        "0.0.0.0",
        "[::]",
        "::1",
        "[::1].evil.example",
        "%6cocalhost",
        "l\u043ecalhost".encode().decode("latin-1"),
    ],
)
def test_without_a_key_any_other_name_is_refused(settings: ServingSettings, host: str) -> None:
    client = local_client(create_app(settings))
    given = {"Host": host.encode("latin-1")}
    assert client.get(ASKED, headers=given).status_code == 403  # type: ignore[arg-type]


def test_two_names_or_none_are_no_name_of_this_machine(settings: ServingSettings) -> None:
    with _running(settings) as port:
        head = f"GET {ASKED} HTTP/1.1\r\n".encode()
        assert _raw(port, head + b"Host: localhost\r\n\r\n") == b"HTTP/1.1 200"
        for hosts in (
            b"Host: localhost\r\nHost: evil.example\r\n",
            b"Host: evil.example\r\nHost: localhost\r\n",
            b"Host: localhost\r\nHost: localhost\r\n",
            b"",
        ):
            assert _raw(port, head + hosts + b"\r\n") in (b"HTTP/1.1 403", b"HTTP/1.1 400")


def test_without_a_key_a_peer_from_elsewhere_is_refused(settings: ServingSettings) -> None:
    app = create_app(settings)
    for peer in ("10.0.0.7", "::ffff:10.0.0.7", "testclient", "fe80::1"):
        client = local_client(app)
        client._transport.client = (peer, 1)  # type: ignore[attr-defined]
        assert client.get(ASKED).status_code == 403


def test_no_header_makes_a_peer_a_local_one(settings: ServingSettings, tmp_path: Path) -> None:
    """uvicorn believes a peer on loopback about who asks, unless it is told not to."""
    with _running(settings) as port:
        assert _status(port, X_Forwarded_For="127.0.0.1") == 403
    with _running(_keyed(settings, tmp_path)) as port:
        statuses = [
            _status(port, X_API_Key="wrong", X_Forwarded_For=f"10.0.0.{number}")
            for number in range(8)
        ]
        assert 429 in statuses


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_the_loopback_of_ipv6_is_this_machine(settings: ServingSettings) -> None:
    try:
        with _running(settings.replaced(host="::1"), host="::1") as port:
            assert _status(port, host="::1") == 200
            assert _status(port, host="::1", Host="evil.example") == 403
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


def test_loopback_is_known_however_it_is_written() -> None:
    for host in ("localhost", "LocalHost", "localhost.", "127.0.0.2", "::1", "[::1]"):
        assert is_loopback(host)
    for host in ("localhost..", "", ".", "::", "0.0.0.0", "localhost.x", "[localhost"):
        assert not is_loopback(host) or host == "[localhost"


def test_a_first_request_without_a_key_is_no_attempt(
    settings: ServingSettings, tmp_path: Path
) -> None:
    client = local_client(create_app(_keyed(settings, tmp_path)))
    basic = {"Authorization": "Basic " + base64.b64encode(b"k:").decode()}
    for _ in range(40):
        # As wget and `curl --anyauth` ask.
        assert client.get(ASKED).status_code == 401
        assert client.get(ASKED, headers=basic).status_code == 200
    guesses = [client.get(ASKED, params={"key": f"guess {n}"}).status_code for n in range(40)]
    assert guesses[0] == 401
    assert guesses[-1] == 429


def test_behind_a_proxy_attempts_are_those_of_who_asks_it(
    settings: ServingSettings, tmp_path: Path
) -> None:
    proxied = _keyed(settings, tmp_path).replaced(behind_proxy=True)
    client = local_client(create_app(proxied))

    def ask(forwarded: str) -> int:
        headers = {"X-Forwarded-For": forwarded, "X-API-Key": "wrong"}
        return client.get(ASKED, headers=headers).status_code

    # What the client writes itself comes first and is not believed.
    guesses = [ask(f"10.0.0.{number}, 192.0.2.1") for number in range(40)]
    assert guesses[-1] == 429
    assert ask("192.0.2.1, 192.0.2.2") == 401


def test_https_is_asked_for_again_where_a_proxy_speaks_it(
    settings: ServingSettings, tmp_path: Path
) -> None:
    keyed = _keyed(settings, tmp_path)
    for behind, proto, wanted in (
        (True, "https", True),
        (True, "http, https", True),
        (True, "https, http", False),
        (False, "https", False),
    ):
        client = local_client(create_app(keyed.replaced(behind_proxy=behind)))
        answer = client.get("/", headers={"X-API-Key": "k", "X-Forwarded-Proto": proto})
        assert answer.status_code == 200
        assert ("strict-transport-security" in answer.headers) is wanted


def test_a_key_does_not_survive_into_a_redirect(settings: ServingSettings, tmp_path: Path) -> None:
    app = create_app(_keyed(settings, tmp_path))

    @app.get("/elsewhere")
    def elsewhere() -> RedirectResponse:
        return RedirectResponse("/x?a=1&key=k&b=key&%6Bey=k#key=y")

    client = local_client(app)
    assert client.get("/elsewhere?key=k").headers["location"] == "/x?a=1&b=key#key=y"
    for path in ("/reports?key=k", "/reports/statistics?scope=&key=k", "/conversations/?key=k"):
        answer = client.get(path)
        assert answer.is_redirect, path
        assert "key" not in answer.headers["location"]
    assert without_key("/x?key=k") == "/x"
    assert without_key("/x?a=?&monkey=1") == "/x?a=?&monkey=1"
    assert without_key("/x") == "/x"


ELSEWHERE = "https://dashboard.example"


def test_a_page_elsewhere_may_use_a_key_that_names_it(
    settings: ServingSettings, tmp_path: Path
) -> None:
    client = local_client(create_app(_keyed(settings, tmp_path, origins=(ELSEWHERE,))))
    asks = {"Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}
    preflight = client.options(ASKED, headers={"Origin": ELSEWHERE, **asks})
    assert preflight.status_code == 204
    assert preflight.headers["access-control-allow-origin"] == ELSEWHERE
    assert "X-API-Key" in preflight.headers["access-control-allow-headers"]
    answer = client.get(ASKED, headers={"Origin": ELSEWHERE, "X-API-Key": "k"})
    assert answer.headers["access-control-allow-origin"] == ELSEWHERE
    assert "Origin" in answer.headers["vary"]
    assert "access-control-allow-credentials" not in answer.headers
    for other in (
        "https://evil.example",
        "null",
        "*",
        ELSEWHERE + ".evil.example",
        "http" + ELSEWHERE[5:],
    ):
        refused = client.options(ASKED, headers={"Origin": other, **asks})
        assert refused.status_code == 401
        answer = client.get(ASKED, headers={"Origin": other, "X-API-Key": "k"})
        for each in (refused, answer):
            assert "access-control-allow-origin" not in each.headers
    assert client.options(ASKED, headers={"X-API-Key": "k"}).status_code == 405


def test_an_origin_that_is_none_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("API_KEYS_FILE", str(tmp_path / "keys.json"))
    for wrong in ("*", "null", "dashboard.example", "https://x/", "https://X", "https://a b"):
        assert keys.main(["add", "page", "--origin", wrong]) == 2
    assert "is no origin" in capsys.readouterr().err
    assert keys.main(["add", "page", "--origin", ELSEWHERE]) == 0
    assert keys.load(tmp_path / "keys.json")["page"].origins == (ELSEWHERE,)


def test_answers_are_compressed_where_that_pays(settings: ServingSettings) -> None:
    client = local_client(create_app(settings))
    for path in (f"{ASKED}?full=1&limit=100", "/conversations", "/static/app.css"):
        plain = client.get(path, headers={"Accept-Encoding": "identity"})
        with client.stream("GET", path, headers={"Accept-Encoding": "gzip"}) as packed:
            content = b"".join(packed.iter_raw())
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(content) == plain.content
        assert len(content) < len(plain.content) / 2
        for answer in (plain, packed):
            assert "Accept-Encoding" in answer.headers["vary"]
        # A strong tag would be true of one encoding alone.
        assert packed.headers.get("etag", "W/").startswith("W/")
    refused = client.get(f"{ASKED}?limit=100", headers={"Accept-Encoding": "gzip;q=0, identity"})
    assert "content-encoding" not in refused.headers
    assert "content-encoding" not in client.get("/health").headers
    for name in ("csv", "jsonl", "xlsx", "parquet"):
        answer = client.get(f"/conversations/export?format={name}")
        assert "content-encoding" not in answer.headers


def test_what_was_sent_compressed_is_not_sent_again(settings: ServingSettings) -> None:
    client = local_client(create_app(settings))
    first = client.get(ASKED, headers={"Accept-Encoding": "gzip"})
    for encoding in ("gzip", "identity"):
        again = client.get(
            ASKED,
            headers={"If-None-Match": first.headers["etag"], "Accept-Encoding": encoding},
        )
        assert again.status_code == 304
        assert again.headers["etag"].removeprefix("W/") == first.headers["etag"].removeprefix("W/")


def test_one_keys_answer_is_kept_for_that_key_alone(
    settings: ServingSettings, tmp_path: Path
) -> None:
    client = local_client(create_app(_keyed(settings, tmp_path)))
    for path in (ASKED, "/", "/conversations/export?format=csv", "/api/2/nothing"):
        answer = client.get(path, headers={"X-API-Key": "k"})
        assert "X-API-Key" in answer.headers["vary"]
        assert "Authorization" in answer.headers["vary"]
        if answer.status_code == 200:
            assert "private" in answer.headers["cache-control"]


def test_whatever_answers_get_answers_head(settings: ServingSettings) -> None:
    client = local_client(create_app(settings))
    for path in (
        "/",
        "/health",
        "/conversations",
        "/reports/statistics",
        "/transfers",
        "/api/docs",
        "/api/openapi.json",
        "/static/app.css",
        "/nothing",
        ASKED,
        "/api/2/nothing",
    ):
        got, head = client.get(path), client.head(path)
        assert head.status_code == got.status_code, path
        assert head.content == b""
        assert head.headers["content-type"] == got.headers["content-type"]
    head = client.head("/conversations/export?format=xlsx")
    assert head.status_code == 200
    assert ".xlsx" in head.headers["content-disposition"]
    assert client.head("/conversations/export?format=exe").status_code == 400


def test_a_version_that_cannot_be_opened_is_said_once_and_shown(
    settings: ServingSettings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    copy = tmp_path / "published"
    shutil.copytree(settings.published_dir, copy, symlinks=True)
    client = local_client(create_app(settings.replaced(warehouse_dir=copy.parent)))
    well = client.get("/health").json()
    assert well["status"] == "ok"
    assert well["age_seconds"] >= 0
    assert well["published_at"].endswith("+00:00")
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["data_version"] = "broken"
    manifest["database"]["path"] = "versions/broken/throughline.duckdb"
    (copy / "versions" / "broken").mkdir()
    (copy / manifest["database"]["path"]).write_text("no database")
    (copy / "next.json").write_text(json.dumps(manifest))
    (copy / "next.json").replace(copy / "manifest.json")
    for _ in range(3):
        assert client.get(ASKED).headers["X-Data-Version"] == well["data_version"]
    told = client.get("/health")
    assert told.status_code == 200
    assert told.json()["status"] == "stale"
    assert told.json()["data_version"] == well["data_version"]
    assert "version broken cannot be opened" in told.json()["reason"]
    assert str(tmp_path) not in told.text
    assert client.head("/health").status_code == 200
    said = [each for each in caplog.messages if "broken cannot be opened" in each]
    assert len(said) == 1
    assert f"version {well['data_version']} stays" in said[0]
    # Another cause is said too, and that all is well again.
    (copy / "manifest.json").unlink()
    assert client.get("/health").json()["status"] == "stale"
    assert len([each for each in caplog.messages if "nothing is published" in each]) == 1
    manifest["data_version"], manifest["database"]["path"] = (
        "new",
        "versions/new/throughline.duckdb",
    )
    shutil.copytree(copy / "versions" / well["data_version"], copy / "versions" / "new")
    (copy / "manifest.json").write_text(json.dumps(manifest))
    assert client.get("/health").json() | {"age_seconds": 0} == {
        "status": "ok",
        "data_version": "new",
        "published_at": well["published_at"],
        "age_seconds": 0,
    }
    assert [each for each in caplog.messages if "version new is served again" in each]


def test_a_server_that_never_had_a_version_says_so_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = local_client(create_app(load_serving_settings({"WAREHOUSE_DIR": str(tmp_path)})))
    for _ in range(3):
        assert client.get(ASKED).status_code == 503
    assert client.head("/health").status_code == 503
    assert len([each for each in caplog.messages if "nothing is published" in each]) == 1


def test_a_version_that_failed_is_tried_again_after_a_while(
    settings: ServingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = tmp_path / "published"
    shutil.copytree(settings.published_dir, copy, symlinks=True)
    served = Snapshots(settings.replaced(warehouse_dir=copy.parent))
    old = served.current()
    manifest = json.loads((copy / "manifest.json").read_text())
    manifest["data_version"], manifest["database"]["path"] = (
        "new",
        "versions/new/throughline.duckdb",
    )
    (copy / "next.json").write_text(json.dumps(manifest))
    (copy / "next.json").replace(copy / "manifest.json")
    assert served.current() is old
    shutil.copytree(copy / "versions" / old.version, copy / "versions" / "new")
    assert served.current() is old
    monkeypatch.setattr("serving.snapshot.current.RETRY_SECONDS", 0)
    assert served.current().version == "new"
