"""Answers a request with an export, as it is made.

Belongs here: the worker process of an answer, its limits, the headers.
Does not belong here: what is exported, making the file.

The server holds one chunk at a time and reads the next when the client has taken it; meanwhile its
worker does nothing, and its place is free for another. When the client goes away, or reads too
slowly (`serving.connections`), or time is up, the worker is killed. When the worker fails after the
first byte, the connection is broken off, so that nobody takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import sys
import tempfile
import threading
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from fastapi import HTTPException, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from serving import i18n, scopes
from serving.export.jobs import FORMATS, Job
from serving.queries.table import Table
from serving.snapshot import QueryTooLongError, Snapshot
from throughline.settings import REPOSITORY, ServingSettings

CHUNK = 256 * 1024
AT_ONCE = 2
# More may wait for clients that read slowly: they take memory and hardly any time.
WAITING = 4
PATIENCE = 1.0
RETRY_SECONDS = 30
COMMAND = (sys.executable, "-m", "serving.export.worker")
OUT_OF_MEMORY = 3
TOO_MANY = i18n.mark("Other exports are running: try again in half a minute.")
UNKNOWN_FORMAT = i18n.mark("An export is CSV, XLSX, JSONL or Parquet.")


class BrokenExportError(RuntimeError):
    """An export ended before it was whole."""


def worker_environment() -> dict[str, str]:
    """What the worker may know of the server's environment: no key is in it."""
    return {name: os.environ[name] for name in ("PATH", "LANG", "LC_ALL") if name in os.environ}


class Exports:
    """The exports of a server: how many run at once, and how long one may take."""

    def __init__(self, settings: ServingSettings) -> None:
        self.spill_dir = settings.spill_dir
        self.seconds = settings.export_seconds
        self.working = threading.BoundedSemaphore(AT_ONCE)
        self.waiting = threading.BoundedSemaphore(WAITING)


class _Place:
    """The place of an export: among those that work, or those that wait for their client."""

    def __init__(self, exports: Exports) -> None:
        self._exports = exports
        self._held: threading.BoundedSemaphore | None = None

    def take(self) -> bool:
        """Take a place among those that work; False when there is none."""
        return self._move(self._exports.working)

    def leave(self) -> bool:
        """Go to those that wait; False when there is no room: then the place is kept."""
        return self._move(self._exports.waiting)

    async def come_back(self) -> None:
        """Take a place among those that work again, as soon as there is one."""
        while not self.take():
            await asyncio.sleep(0.05)

    def give_back(self) -> None:
        """Give the place back, whichever it is."""
        if self._held is not None:
            self._held.release()
            self._held = None

    def _move(self, to: threading.BoundedSemaphore) -> bool:
        if not to.acquire(blocking=False):
            return False
        self.give_back()
        self._held = to
        return True


def export(
    request: Request, snapshot: Snapshot, tables: Sequence[Table], format_name: str, name: str
) -> Response:
    """The answer that carries an export.

    Args:
        request: the one to answer.
        snapshot: what is asked.
        tables: one gives a file, several a zip with a file each.
        format_name: `csv`, `xlsx`, `jsonl` or `parquet`.
        name: what the file is called, before the data version and the extension.

    Raises:
        HTTPException: 400, there is no such format.
    """
    if format_name not in FORMATS:
        raise HTTPException(400, UNKNOWN_FORMAT)
    exports: Exports = request.app.state.exports
    job = Job(
        database=snapshot.path,
        format=format_name,
        tables=tables,
        spill_dir=exports.spill_dir,
        scope=snapshot.scope,
    )
    return _ExportResponse(exports, job, file_name(name, snapshot.version, job))


def told_apart(name: str, scope: scopes.Scope, asked: Iterable[object]) -> str:
    """A name that ends differently for each question whose answer the name alone does not tell.

    Args:
        name: what the name tells already.
        scope: whose rows are in the answer.
        asked: what else was asked for; nothing is added when there is neither.
    """
    rest = [*asked, *scope.sources, *scope.projects]
    if not rest:
        return name
    digest = hashlib.blake2b(repr(rest).encode(), digest_size=4).hexdigest()
    return f"{name}-{digest}"


def file_name(name: str, version: str, job: Job) -> str:
    """A name for every file system and every header: letters, digits, dots and dashes."""
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", f"{name}-{version}").strip("-.")
    return f"{plain[:120]}.{job.file_format.extension}"


class _ExportResponse(Response):
    def __init__(self, exports: Exports, job: Job, name: str) -> None:
        self.status_code = 200
        self.background = None
        self._exports = exports
        self._job = job
        self.init_headers(
            {
                "Content-Type": job.file_format.media_type,
                "Content-Disposition": f'attachment; filename="{name}"',
                "Cache-Control": "private, no-store",
                "X-Data-Version": job.database.parent.name,
            }
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["state"]["is_head"]:
            await self._start(send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return
        place = _Place(self._exports)
        if not place.take():
            raise HTTPException(429, TOO_MANY, headers={"Retry-After": str(RETRY_SECONDS)})
        try:
            # A killed worker leaves what it spilled: the folder goes with it.
            with tempfile.TemporaryDirectory(
                prefix="export-", dir=self._exports.spill_dir, ignore_cleanup_errors=True
            ) as spill:
                job = replace(self._job, spill_dir=Path(spill))
                await self._stream(job, place, receive, send)
        finally:
            place.give_back()

    async def _stream(self, job: Job, place: _Place, receive: Receive, send: Send) -> None:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
            limit=CHUNK,
            cwd=REPOSITORY,
            env=worker_environment(),
        )
        gone = asyncio.create_task(_kill_when_gone(process, receive))
        started = False
        try:
            async with asyncio.timeout(self._exports.seconds):
                await _hand_over(process, job)
                assert process.stdout is not None
                while chunk := await process.stdout.read(CHUNK):
                    if not started:
                        started = True
                        await self._start(send)
                    await _pass_on(chunk, place, send)
                status = await process.wait()
        except TimeoutError:
            if started:
                raise BrokenExportError("an export took longer than it may") from None
            raise QueryTooLongError("an export took longer than it may") from None
        finally:
            gone.cancel()
            await _end(process)
        if gone.done() and not gone.cancelled():
            return
        if status and started:
            raise BrokenExportError("an export ended early")
        if status == OUT_OF_MEMORY:
            raise QueryTooLongError("an export needed more memory than it may have")
        if status:
            raise BrokenExportError("an export did not begin")
        if not started:
            await self._start(send)
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _start(self, send: Send) -> None:
        await send(
            {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
        )


async def _pass_on(chunk: bytes, place: _Place, send: Send) -> None:
    """Send a chunk. While the client does not take it, another export can have the place."""
    sending = asyncio.ensure_future(
        send({"type": "http.response.body", "body": chunk, "more_body": True})
    )
    try:
        await asyncio.wait({sending}, timeout=PATIENCE)
        if not sending.done() and place.leave():
            await asyncio.wait({sending})
            await place.come_back()
        await sending
    finally:
        sending.cancel()


async def _hand_over(process: asyncio.subprocess.Process, job: Job) -> None:
    assert process.stdin is not None
    process.stdin.write(job.to_json().encode("utf-8"))
    # A worker that is gone already says so by its status.
    try:
        await process.stdin.drain()
        process.stdin.close()
    except (BrokenPipeError, ConnectionResetError):
        return


async def _kill_when_gone(process: asyncio.subprocess.Process, receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        continue
    _kill(process)


async def _end(process: asyncio.subprocess.Process) -> None:
    _kill(process)
    await process.wait()


def _kill(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        try:
            process.kill()
        except ProcessLookupError:
            return
