"""Closes connections whose other end does not do its part.

Belongs here: how long a request may take to arrive, and how slowly an answer may be read. Does not
belong here: requests, answers.

uvicorn waits for ever, for a request that does not come and for a reader who does not read. Each
holds a connection, and an export's reader one of the few places for exports.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

# From the opening of a connection, or the first byte of a later request, to the end of its header.
REQUEST_SECONDS = 10.0
# A reader who keeps the server waiting is looked at again and again after so long, and has to have
# taken so much meanwhile: 3 kB a second, less than the slowest mobile network in use gives.
READING_SECONDS = 30.0
LEAST_READ = 100_000


class Connection(HttpToolsProtocol):
    """uvicorn's own, which gives up after a while."""

    _request_ends: asyncio.TimerHandle | None = None
    _reading_ends: asyncio.TimerHandle | None = None
    _unread = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._got_request()
        self._got_reader()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        # A part of a header is no request yet, however often a part comes.
        if self._is_answering():
            self._got_request()
        elif self._request_ends is None:
            self._expect_request()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._expect_reading()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._got_reader()

    def _is_answering(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _expect_request(self) -> None:
        self._request_ends = self.loop.call_later(REQUEST_SECONDS, self._close)

    def _close(self) -> None:
        self._request_ends = None
        if not self._is_answering():
            self.transport.close()

    def _expect_reading(self) -> None:
        self._unread = self.transport.get_write_buffer_size()
        self._reading_ends = self.loop.call_later(READING_SECONDS, self._look_at_reader)

    def _look_at_reader(self) -> None:
        if self._unread - self.transport.get_write_buffer_size() < LEAST_READ:
            # Not closed: that would wait until everything is read.
            self.transport.abort()
        else:
            self._expect_reading()

    def _got_request(self) -> None:
        if self._request_ends is not None:
            self._request_ends.cancel()
            self._request_ends = None

    def _got_reader(self) -> None:
        if self._reading_ends is not None:
            self._reading_ends.cancel()
            self._reading_ends = None
