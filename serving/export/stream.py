"""Answers a request with an export, as it is made.

Belongs here: the worker process of an answer, its limits, the headers.
Does not belong here: what is exported, making the file.

The server holds one chunk at a time and reads the next when the client has taken it. When the
client goes away, or time is up, the worker is killed. When the worker fails after the first byte,
the connection is broken off, so that nobody takes a part for the whole.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from fastapi import HTTPException, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from orchestration.settings import REPOSITORY, ServingSettings
from serving import i18n
from serving.export.jobs import FORMATS, Job, Table
from serving.snapshot import QueryTooLongError, Snapshot

CHUNK = 256 * 1024
AT_ONCE = 2
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
        self._free = threading.BoundedSemaphore(AT_ONCE)

    def take(self) -> bool:
        """Take a place; False when there is none."""
        return self._free.acquire(blocking=False)

    def give_back(self) -> None:
        """Give the place back."""
        self._free.release()


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
        database=snapshot.path, format=format_name, tables=tables, spill_dir=exports.spill_dir
    )
    return _ExportResponse(exports, job, file_name(name, snapshot.version, job))


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
        if not self._exports.take():
            raise HTTPException(429, TOO_MANY, headers={"Retry-After": str(RETRY_SECONDS)})
        try:
            # A killed worker leaves what it spilled: the folder goes with it.
            with tempfile.TemporaryDirectory(
                prefix="export-", dir=self._exports.spill_dir, ignore_cleanup_errors=True
            ) as spill:
                await self._stream(replace(self._job, spill_dir=Path(spill)), receive, send)
        finally:
            self._exports.give_back()

    async def _stream(self, job: Job, receive: Receive, send: Send) -> None:
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
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
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
