"""`python -m bench.serving`: the server against the bare DuckDB queries, over a published snapshot.

Belongs here: asking the running server as its users do, timing it, and timing the same questions
put to DuckDB alone in the same run. Does not belong here: making or publishing data (the pipeline
does), whether an answer is right (the tests).

The client is one plain HTTP connection on the same machine, so every figure of the server holds
what the client itself costs. Files are in the page cache, as they are on a server that is used.

Long because every case is a question, asked of the server and of DuckDB side by side.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import duckdb

from bench import pipeline
from bench.processes import memory_of_family, run
from serving import filters
from throughline.settings import REPOSITORY, load_serving_settings

AIMS = {
    "detail p99": 0.050,
    "log p95": 0.300,
    "search p95": 1.0,
    "requests a second": 200.0,
    "rows a second": 200_000.0,
}
LOG_COLUMNS = (
    "conversation_id, started_at, closed_at, visitor_id, channel, agent_path, contact_count,"
    " transfer_count, automation_level, csat_score, transaction_amount"
)
# A page shows fifty; one more tells whether there is a next one.
PAGE_ROWS = 51

Question = Callable[[], None]


@dataclass(frozen=True)
class Timing:
    """How long questions of one kind took, in seconds.

    Attributes:
        name: the kind.
        count: how many were asked.
        median, p95, p99, worst: of the server's answers.
        bare_median, bare_p95, bare_p99: of DuckDB's alone.
    """

    name: str
    count: int
    median: float
    p95: float
    p99: float
    worst: float
    bare_median: float
    bare_p95: float
    bare_p99: float

    @property
    def ratio(self) -> float:
        """The server's median over DuckDB's."""
        return self.median / self.bare_median


@dataclass(frozen=True)
class Export:
    """One export.

    Attributes:
        name: format and grain.
        rows: rows of data.
        bytes: what came over the wire.
        first_byte_seconds: until it began.
        seconds: until it ended.
        bare_seconds: DuckDB's own COPY of the same rows, nowhere; as CSV for XLSX, which it lacks.
        peak_bytes: memory of the server and its workers at most (PSS).
        grown_bytes: how much of that came after the first tenth of the bytes.
    """

    name: str
    rows: int
    bytes: int
    first_byte_seconds: float
    seconds: float
    bare_seconds: float
    peak_bytes: int
    grown_bytes: int


@dataclass
class Report:
    """Everything measured on one snapshot."""

    conversations: int
    contacts: int
    messages: int
    file_bytes: int
    timings: list[Timing] = field(default_factory=list)
    exports: list[Export] = field(default_factory=list)
    requests_per_second: float = 0.0
    bare_requests_per_second: float = 0.0

    def aims(self) -> list[tuple[str, float, float, bool, bool]]:
        """Each aim that was measured: its name, the value, what is wanted, whether more is
        better, whether it is met. Times are in seconds.
        """
        found: list[tuple[str, float, float, bool, bool]] = []

        def add(name: str, values: Sequence[float], *, more: bool = False) -> None:
            if values:
                worst = min(values) if more else max(values)
                met = worst >= AIMS[name] if more else worst <= AIMS[name]
                found.append((name, worst, AIMS[name], more, met))

        add("detail p99", [timing.p99 for timing in self.timings if "detail" in timing.name])
        add("log p95", [timing.p95 for timing in self.timings if timing.name.startswith("log")])
        add("search p95", [t.p95 for t in self.timings if t.name.startswith("search")])
        if self.requests_per_second:
            add("requests a second", [self.requests_per_second], more=True)
        add("rows a second", [export.rows / export.seconds for export in self.exports], more=True)
        return found

    @property
    def meets_its_aims(self) -> bool:
        """Whether every aim that was measured is met."""
        return all(met for *_, met in self.aims())


class _Client:
    """One connection that is kept open."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=600)

    def get(self, path: str) -> bytes:
        try:
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
        except http.client.RemoteDisconnected:
            # The server closes what has been idle for some seconds, as while DuckDB was asked.
            self._connection.close()
            self._connection.request("GET", path)
            answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: status {answer.status}: {body[:300]!r}")
        return body


@contextmanager
def _server(warehouse: Path, log: Path) -> Iterator[tuple[int, int]]:
    """Run the server; gives its port and its process id."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "serving", "--port", str(port)],
            cwd=REPOSITORY,
            env={**os.environ, "WAREHOUSE_DIR": str(warehouse)},
            stdout=output,
            stderr=output,
        )
    try:
        for _ in range(600):
            try:
                _Client(port).get("/health")
                break
            except (OSError, RuntimeError):
                time.sleep(0.1)
        else:
            raise RuntimeError(f"the server did not start: see {log}")
        yield port, process.pid
    finally:
        process.terminate()
        process.wait(20)


def _quantiles(seconds: Sequence[float]) -> tuple[float, float, float, float]:
    ordered = sorted(seconds)

    def at(share: float) -> float:
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    return statistics.median(ordered), at(0.95), at(0.99), ordered[-1]


def _timed(question: Question) -> float:
    began = time.perf_counter()
    question()
    return time.perf_counter() - began


def _compare(name: str, asked: Sequence[Question], bare: Sequence[Question]) -> Timing:
    """Time questions to the server and to DuckDB, in turns, after one of each to warm up."""
    asked[0]()
    bare[0]()
    served, alone = [], []
    for ask, ask_bare in zip(asked, bare, strict=True):
        served.append(_timed(ask))
        alone.append(_timed(ask_bare))
    median, p95, p99, worst = _quantiles(served)
    bare_median, bare_p95, bare_p99, _ = _quantiles(alone)
    return Timing(name, len(served), median, p95, p99, worst, bare_median, bare_p95, bare_p99)


def measure(warehouse: Path, *, quick: bool = False, only_pages: bool = False) -> Report:
    """Measure the server over a published snapshot.

    Args:
        warehouse: a warehouse folder with a publication in it.
        quick: ask a twentieth as often, to try the benchmark itself.
        only_pages: leave out search, throughput and exports.

    Raises:
        RuntimeError: an answer was no success.
    """
    settings = load_serving_settings({"WAREHOUSE_DIR": str(warehouse)})
    manifest = json.loads((settings.published_dir / "manifest.json").read_text())
    file = settings.published_dir / manifest["database"]["path"]
    connection = duckdb.connect(str(file), read_only=True, config={"threads": settings.threads})

    def rows(sql: str, values: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        return connection.execute(sql, values or {}).fetchall()

    counts = {
        model["name"]: int(model["row_count"])
        for model in manifest["models"]
        if model["schema"] == "marts"
    }
    report = Report(
        counts["conversations"], counts["contacts"], counts["messages"], file.stat().st_size
    )
    often = 100 if quick else 2000
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "server.log"
        with _server(warehouse, log) as (port, pid):
            client = _Client(port)
            ids = rows(
                "select conversation_id, started_at from marts.conversations"
                f" using sample reservoir({often} rows) repeatable (7)"
            )
            report.timings += [
                _detail(client, rows, ids, "/api/2/conversation/", "REST detail by id"),
                _detail(client, rows, ids, "/conversations/", "page of a detail by id"),
            ]
            report.timings += _log_pages(client, rows, 2 if quick else 20)
            if not only_pages:
                report.timings += _searches(client, rows, 1 if quick else 6)
                report.requests_per_second, report.bare_requests_per_second = _throughput(
                    port, connection, [str(id_) for id_, _ in ids], 2 if quick else 15
                )
                report.exports = _exports(port, pid, connection, counts)
    return report


def _detail(
    client: _Client,
    rows: Callable[..., list[tuple[Any, ...]]],
    ids: Sequence[tuple[Any, ...]],
    prefix: str,
    name: str,
) -> Timing:
    return _compare(
        name,
        [lambda id_=id_: client.get(prefix + quote(id_, safe="")) for id_, _ in ids],
        [lambda id_=id_: _bare_detail(rows, id_) for id_, _ in ids],  # type: ignore[misc]
    )


def _bare_detail(rows: Callable[..., list[tuple[Any, ...]]], id_: str) -> None:
    """Everything that a detail shows, asked of DuckDB."""
    (found,) = rows(
        "select conversation_id, conversation_started_at from marts.conversation_ids"
        f" where id_hash = {filters.ID_HASH} and id = $id",
        {"id": id_},
    )
    values = {"id": found[0], "at": found[1]}
    rows(
        "select * from marts.conversations where started_at = $at and conversation_id = $id", values
    )
    for part in (
        "contacts",
        "transfers",
        "messages",
        "ratings",
        "transactions",
        "conversation_ids",
    ):
        rows(
            f"select * from marts.{part} where conversation_started_at = $at"
            " and conversation_id = $id",
            values,
        )


def _log_filters(rows: Callable[..., list[tuple[Any, ...]]]) -> dict[str, filters.Filter]:
    """A filter of every kind, with values that the snapshot holds."""

    def most_frequent(column: str, table: str = "conversations") -> str:
        found = rows(
            f"select {column} from marts.{table} where {column} is not null"
            " group by 1 order by count(*) desc, 1 limit 1"
        )
        return str(found[0][0]) if found else filters.NONE

    ((first, last),) = rows("select min(started_on), max(started_on) from marts.conversations")
    middle = first + (last - first) / 2
    agent = most_frequent("agent_id", "contacts")
    group = most_frequent("group_id", "contacts")
    ((visitor,),) = rows(
        "select visitor_id from marts.conversations where visitor_id is not null"
        " order by conversation_id limit 1"
    ) or [(filters.NONE,)]
    ((contact,),) = rows("select contact_id from marts.contacts order by contact_id limit 1")
    return {
        "nothing": filters.Filter(),
        "a period": filters.Filter(first_day=middle, last_day=middle),
        "a closing period": filters.Filter(on="closed", first_day=middle, last_day=last),
        "a project": filters.Filter(project=(most_frequent("project_id"),)),
        "a channel": filters.Filter(channel=(most_frequent("channel"),)),
        "an agent": filters.Filter(agents=(agent,)),
        "a group": filters.Filter(groups=(group,)),
        "answered": filters.Filter(answered=True),
        "not answered by a human": filters.Filter(answered_by_human=False),
        "automation level": filters.Filter(automation=("partially_automated",)),
        "transferred": filters.Filter(transferred=True),
        "bounced": filters.Filter(bounced=True),
        "a score": filters.Filter(score_min=1, score_max=2),
        "converted": filters.Filter(converted=True),
        "a visitor": filters.Filter(visitor=(visitor,)),
        "any contact id": filters.Filter(id=str(contact)),
        "unanswered contacts of an agent": filters.Filter(
            agents=(agent,), contact_state="unanswered"
        ),
        "a transfer from an agent": filters.Filter(transfer_from=agent),
    }


def _log_pages(
    client: _Client, rows: Callable[..., list[tuple[Any, ...]]], often: int
) -> list[Timing]:
    return [
        _log_page(client, rows, f"log, {name}", wanted, often)
        for name, wanted in _log_filters(rows).items()
    ]


def _log_page(
    client: _Client,
    rows: Callable[..., list[tuple[Any, ...]]],
    name: str,
    wanted: filters.Filter,
    often: int,
) -> Timing:
    search = wanted.search()
    condition = filters.where([*wanted.conditions(), *([search] if search else [])])

    def bare() -> None:
        rows(
            f"select {LOG_COLUMNS} from marts.conversations as conversations"
            f" where {condition.sql} order by started_at desc, conversation_id desc"
            f" limit {PAGE_ROWS}",
            dict(condition.values),
        )

    path = f"/conversations?{wanted.query()}"
    return _compare(name, [lambda: client.get(path)] * often, [bare] * often)  # type: ignore[list-item]


def _searches(
    client: _Client, rows: Callable[..., list[tuple[Any, ...]]], often: int
) -> list[Timing]:
    bodies = [
        str(body)
        for (body,) in rows(
            "select body from marts.messages where body is not null"
            " using sample reservoir(200 rows) repeatable (7)"
        )
    ]
    words = sorted({word for body in bodies for word in body.split() if word.isalpha()}, key=len)
    asked = {
        "a frequent word": words[len(words) // 2],
        "a rare number": next(
            (word.strip(".,") for body in bodies for word in body.split() if word[:1].isdigit()),
            "4711",
        ),
        "two words": f"{words[-1]} {words[-2]}",
        "what nobody wrote": "xyzzyquux",
    }
    return [
        _log_page(client, rows, f"search, {name}", filters.Filter(words=text), often)
        for name, text in asked.items()
    ]


def _throughput(
    port: int, connection: duckdb.DuckDBPyConnection, ids: Sequence[str], seconds: float
) -> tuple[float, float]:
    """REST details a second, asked by eight clients at once from this process; DuckDB's alone."""

    def over_http() -> Callable[[str], object]:
        client = _Client(port)
        return lambda id_: client.get("/api/2/conversation/" + quote(id_, safe=""))

    def bare() -> Callable[[str], object]:
        cursor = connection.cursor()
        return lambda id_: _bare_detail(
            lambda sql, values: cursor.execute(sql, values).fetchall(), id_
        )

    return _rate(over_http, ids, seconds), _rate(bare, ids, seconds)


def _rate(
    asker: Callable[[], Callable[[str], object]], ids: Sequence[str], seconds: float
) -> float:
    """Answers a second to eight askers at once."""
    stop = time.perf_counter() + seconds
    done: list[int] = []

    def ask(number: int) -> None:
        question, count = asker(), 0
        while time.perf_counter() < stop:
            question(ids[(number + 8 * count) % len(ids)])
            count += 1
        done.append(count)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


def _exports(
    port: int, pid: int, connection: duckdb.DuckDBPyConnection, counts: dict[str, int]
) -> list[Export]:
    found = []
    for format_ in ("csv", "jsonl", "parquet", "xlsx"):
        for grain, table in (("conversation", "conversations"), ("contact", "contacts")):
            kind = {"jsonl": "json", "xlsx": "csv"}.get(format_, format_)
            began = time.perf_counter()
            connection.execute(
                f"copy (from marts.{table}) to '/dev/null' (format {kind})"
            ).fetchall()
            bare = time.perf_counter() - began
            query = urlencode({"format": format_, "grain": grain})
            found.append(
                _export(
                    port, pid, f"/conversations/export?{query}", format_, grain, counts[table], bare
                )
            )
    return found


def _export(
    port: int, pid: int, path: str, format_: str, grain: str, rows: int, bare: float
) -> Export:
    memory: list[tuple[float, int]] = []
    stop = threading.Event()

    def watch() -> None:
        # Adding up pages costs the processes that own them, so not too often.
        while not stop.wait(0.25):
            memory.append((time.perf_counter(), memory_of_family(pid)))

    watcher = threading.Thread(target=watch)
    watcher.start()
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=3600)
    began = time.perf_counter()
    connection.request("GET", path)
    answer = connection.getresponse()
    if answer.status != 200:
        raise RuntimeError(f"{path}: status {answer.status}: {answer.read()[:300]!r}")
    received, first, marks = 0, 0.0, []
    while chunk := answer.read1(1 << 20):
        if not received:
            first = time.perf_counter() - began
        received += len(chunk)
        marks.append((time.perf_counter(), received))
    seconds = time.perf_counter() - began
    stop.set()
    watcher.join()
    tenth = next((at for at, total in marks if total >= received / 10), began)
    early = max((bytes_ for at, bytes_ in memory if at <= tenth), default=0)
    peak = max((bytes_ for _, bytes_ in memory), default=0)
    return Export(
        f"{format_}, {grain} grain", rows, received, first, seconds, bare, peak, peak - early
    )


def text(report: Report) -> str:
    """A report for people."""
    lines = [
        f"A snapshot of {report.conversations:,} conversations, {report.contacts:,} contacts and"
        f" {report.messages:,} messages ({report.file_bytes / 1e6:,.0f} MB)",
        f"  {'milliseconds':<40}{'median':>8}{'p95':>8}{'p99':>8}{'worst':>8}"
        f"{'bare':>8}{'bare p95':>9}{'ratio':>7}",
    ]
    for timing in report.timings:
        lines.append(
            f"  {timing.name:<40}"
            + "".join(
                f"{1000 * value:>8.1f}"
                for value in (timing.median, timing.p95, timing.p99, timing.worst)
            )
            + f"{1000 * timing.bare_median:>8.1f}{1000 * timing.bare_p95:>9.1f}{timing.ratio:>7.2f}"
        )
    if report.requests_per_second:
        lines.append(
            f"  {report.requests_per_second:,.0f} REST details a second, eight clients at once"
            f" (wanted {AIMS['requests a second']:.0f}); DuckDB alone"
            f" {report.bare_requests_per_second:,.0f}, ratio"
            f" {report.bare_requests_per_second / report.requests_per_second:.2f}"
        )
    if report.exports:
        lines.append(
            f"  {'exports':<28}{'rows/s':>10}{'MB':>8}{'first':>8}{'total':>8}{'bare':>8}"
            f"{'ratio':>7}{'memory':>9}{'grown':>8}"
        )
    for export in report.exports:
        lines.append(
            f"  {export.name:<28}{export.rows / export.seconds:>10,.0f}{export.bytes / 1e6:>8,.0f}"
            f"{export.first_byte_seconds:>7.2f}s{export.seconds:>7.1f}s"
            f"{export.bare_seconds:>7.1f}s{export.seconds / export.bare_seconds:>7.2f}"
            f"{export.peak_bytes / 1e6:>6,.0f} MB{export.grown_bytes / 1e6:>5,.0f} MB"
        )
    lines += _verdicts(report)
    return "\n".join(lines)


def _verdicts(report: Report) -> list[str]:
    return [
        f"  {name}: {value:,.3g}, wanted {'at least' if more else 'at most'} {wanted:,g}:"
        f" {'met' if met else 'NOT met'}"
        for name, value, wanted, more, met in report.aims()
    ]


def published(
    folder: Path, contacts: int, messages_per_contact: int, memory_limit: str, threads: int
) -> Path:
    """Make logs and publish them.

    Args:
        folder: an existing, empty folder.
        contacts: how many.
        messages_per_contact: 0 for none.
        memory_limit: DuckDB's, of the pipeline.
        threads: DuckDB's, of the pipeline.

    Returns:
        The warehouse folder.

    Raises:
        ProgramError: the generator or the pipeline failed.
    """
    log, landing = folder / "output.log", folder / "landing"
    run(
        [
            *(sys.executable, "-m", "seeds.generator", "--contacts", str(contacts)),
            *("--messages-per-contact", str(messages_per_contact)),
            *("--threads", str(threads), "--out", str(landing)),
        ],
        log=log,
        cwd=REPOSITORY,
    )
    settings = pipeline.settings_of(
        landing, folder / "warehouse", REPOSITORY / "seeds" / "registry", memory_limit, threads
    )
    pipeline.refresh(settings, log)
    shutil.rmtree(landing)
    return settings.warehouse_dir


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure the server over a published snapshot.

    Returns:
        0; 1 when an aim is missed.
    """
    parser = argparse.ArgumentParser(prog="python -m bench.serving", description=main.__doc__)
    parser.add_argument("warehouse", type=Path, help="a warehouse folder with a publication in it")
    parser.add_argument("--quick", action="store_true", help="ask less often")
    parser.add_argument("--only-pages", action="store_true", help="detail and log alone")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    options = parser.parse_args(arguments)
    report = measure(options.warehouse, quick=options.quick, only_pages=options.only_pages)
    print(text(report))
    if options.json:
        options.json.write_text(json.dumps(asdict(report), indent=2) + "\n", encoding="utf-8")
    return 0 if report.meets_its_aims else 1


if __name__ == "__main__":
    sys.exit(main())
