"""What the tests of the server share: the published sample, the application, a server, a browser.

The sample is built once for all workers. The server is the real one, in its own process; the
browser is the system's Chromium.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import published_sample
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from serving.app import create_app
from serving.snapshot import Snapshot, Snapshots
from throughline.settings import REPOSITORY, ServingSettings, load_serving_settings

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")


@pytest.fixture(scope="session")
def warehouse(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A warehouse folder with the sample published in it; nobody may change it."""
    return published_sample.of_all_workers(tmp_path_factory).folder


@pytest.fixture(scope="session")
def settings(warehouse: Path) -> ServingSettings:
    """The server's settings over the sample, with files of its own."""
    return load_serving_settings({"WAREHOUSE_DIR": str(warehouse)})


@pytest.fixture(scope="session")
def snapshot(settings: ServingSettings) -> Snapshot:
    """The published sample, to compare with."""
    return Snapshots(settings).current()


def local_client(app: FastAPI, **more: Any) -> TestClient:
    """A client on this machine, which is answered without a key; redirects are not followed."""
    return TestClient(
        app,
        base_url="http://localhost",
        client=("127.0.0.1", 50_000),
        follow_redirects=False,
        **more,
    )


@pytest.fixture(scope="session")
def client(settings: ServingSettings) -> Iterator[TestClient]:
    """A client of the application without a key, as on loopback; redirects are not followed."""
    with local_client(create_app(settings)) as made:
        yield made


@pytest.fixture(autouse=True)
def _no_cookie_stays(request: pytest.FixtureRequest) -> None:
    """The client is shared: a language that an earlier test asked for is not this one's."""
    if "client" in request.fixturenames:
        request.getfixturevalue("client").cookies.clear()


@pytest.fixture
def keyed_client(settings: ServingSettings) -> Iterator[TestClient]:
    """A client of an application that has the key `open sesame`."""
    app = create_app(settings.replaced(api_key="open sesame"))
    with local_client(app) as made:
        yield made


@contextmanager
def serve(warehouse: Path) -> Iterator[str]:
    """Run a server in a process of its own; gives its address, such as `http://127.0.0.1:40321`."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "--port", str(port)],
        cwd=REPOSITORY,
        env={**os.environ, "WAREHOUSE_DIR": str(warehouse)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(300):
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        else:
            raise AssertionError("the server did not start")
        yield address
    finally:
        process.terminate()
        process.wait(10)


@pytest.fixture(scope="session")
def server(warehouse: Path) -> Iterator[str]:
    """The address of a running server over the sample."""
    with serve(warehouse) as address:
        yield address


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The system's Chromium, driven by Playwright."""
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine: install it (Debian: chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--no-first-run",
                "--disable-background-networking",
                "--disable-component-update",
                "--disable-sync",
            ],
        )
        yield browser
        browser.close()


@pytest.fixture
def browser_page(chromium: Any, server: str) -> Iterator[Any]:
    """A page of a fresh English browser at desktop width; any error on it fails the test."""
    context = chromium.new_context(
        base_url=server,
        locale="en-GB",
        timezone_id="UTC",
        viewport={"width": 1280, "height": 900},
        accept_downloads=True,
    )
    page = context.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.on(
        "console",
        lambda message: problems.append(message.text) if message.type == "error" else None,
    )
    page.on(
        "request",
        lambda request: (
            None
            if request.url.startswith((server, "data:", "blob:"))
            else problems.append(f"a request left the server: {request.url}")
        ),
    )
    yield page
    context.close()
    assert not problems, problems
