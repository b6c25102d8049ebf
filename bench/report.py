"""What a benchmark says: a plain table of 100 columns, and JSON.

Belongs here: words and columns. Does not belong here: any measuring.
"""

from __future__ import annotations

import os
import platform
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from bench.cases import Plan, Result
from bench.processes import Cost
from bench.refreshes import Result as Refreshed

AIM_BASELINE = 1.5
AIM_SCIPY = 1.5
AIM_AGAIN_SECONDS = 15
# Processor seconds of a refresh: of the rebuild's, from so many contacts on; and of dbt's alone.
AIMS_REBUILD = ((10_000_000, 0.03), (1_000_000, 0.15))
AIM_SAMPLE = 1.3
# The last of many refreshes on end, of the first.
AIM_LAST = 1.2


def heading(plan: Plan) -> str:
    """What everything was measured on."""
    memory = int(Path("/proc/meminfo").read_text(encoding="ascii").split()[1]) * 1024
    return (
        f"{os.cpu_count()} processors, {memory / 1e9:.0f} GB, Python {platform.python_version()},"
        f" DuckDB {version('duckdb')} with {plan.threads} threads and a limit of"
        f" {plan.memory_limit}, dbt {version('dbt-core')}, Dagster {version('dagster')}"
    )


def text(result: Result) -> str:
    """One case as a table."""
    base = result.baseline
    lines = [
        result.case.title,
        f"  logs {_size(result.input_bytes)}; the pipeline left {_size(result.written_bytes)}",
        f"  {'':<44}{'wall':>9}{'CPU':>9}{'memory':>10}{'x wall':>8}{'x CPU':>8}",
        _row("pipeline, as make run runs it", result.refresh, base),
        _row("(a) one DuckDB script by hand", base, base),
        _row("(b) the same with a recursive query", result.recursion, base),
        _row("pipeline again, nothing new", result.again, None),
        f"  component step, {result.edges:,} edges to labels",
        f"  {'  connected_components in dbt':<44}{result.components_seconds:>8.1f}s"
        f"{'':>19}{_ratio(result.components_seconds, _scipy_seconds(result))}",
        f"  {'  (c) scipy':<44}{_scipy_seconds(result):>8.1f}s{'':>9}"
        f"{_size(result.scipy.peak_bytes):>10}{'1.00':>8}",
    ]
    if result.recursion_seconds is not None:
        lines.append(f"  {'  (b) recursive query':<44}{result.recursion_seconds:>8.1f}s")
    lines += [
        "  the pipeline's parts: " + _seconds(result.parts),
        "  the slowest models: " + _seconds(result.slowest),
        "  the slowest steps of (a): " + _seconds(_largest(result.baseline_parts, 6)),
        "  " + _agreement(result),
    ]
    return "\n".join(wrapped for line in lines for wrapped in _wrap(line))


def verdicts(results: list[Result]) -> str:
    """The aims, and whether they are met by the largest case of each kind."""
    lines = ["Aims, over all cases:"]
    for result in results:
        title = result.case.title
        again = result.again.wall_seconds
        lines.append(
            f"  {title}: {result.refresh.wall_seconds / result.baseline.wall_seconds:.2f} x (a),"
            f" components {result.components_seconds / _scipy_seconds(result):.2f} x (c),"
            f" memory {_size(result.refresh.peak_bytes)}, again {again:.1f} s"
        )
    lines.append(
        f"  wanted: {AIM_BASELINE} x (a) at 10 million, {AIM_SCIPY} x (c), memory within the limit,"
        f" again under {AIM_AGAIN_SECONDS} s"
    )
    return "\n".join(wrapped for line in lines for wrapped in _wrap(line))


def refreshes_text(result: Refreshed) -> str:
    """Deliveries and the runs after them, as a table beside a rebuild."""
    base, small = result.rebuild, result.small
    last = result.refreshes[-1]
    lines = [
        result.case.title,
        f"  then {len(result.refreshes):,} x {result.delivered:,} contacts, 1 % late,"
        f" {result.wanted_merges:,} old conversations merged",
        f"  {'':<44}{'wall':>9}{'CPU':>9}{'memory':>10}{'x wall':>8}{'x CPU':>8}",
        _row("the first run", result.first, base),
        *(
            _row(f"refresh {number + 1:,}", result.refreshes[number].cost, base)
            for number in _told(len(result.refreshes))
        ),
        _row("a rebuild of the same rows", base, base),
        _row("dbt build of the sample, alone", result.sample_build, base),
        f"  the last run said: {last.told}",
        "  its parts: " + _seconds(last.parts),
        "  its slowest models: " + _seconds(result.models),
        *_growth(result),
        "  " + _equality(result),
        *_refresh_verdicts(result),
    ]
    if not small:
        lines.append("  NOT met: no run built what was new alone")
    return "\n".join(wrapped for line in lines for wrapped in _wrap(line))


def _told(number: int) -> list[int]:
    """The runs that have a line: the first, the last, and every tenth."""
    return sorted({0, number - 1, *range(9, number, 10)})


def _growth(result: Refreshed) -> list[str]:
    if len(result.refreshes) == 1:
        return []
    lines = [f"  {'':<44}{'warehouse':>12}{'outgoing':>12}{'published':>12}"]
    for number in _told(len(result.refreshes)):
        one = result.refreshes[number]
        sizes = (one.warehouse_bytes, one.outgoing_bytes, one.published_bytes)
        lines.append(
            f"  {f'after refresh {number + 1:,}':<44}"
            + "".join(f"{_size(size):>12}" for size in sizes)
        )
    whole = len(result.refreshes) - len(result.small)
    seen = result.reader
    return [
        *lines,
        f"  {whole:,} of the runs built everything, by the rules for it",
        f"  a client looked {seen['answers']:,} times at {seen['versions']:,} versions:"
        f" {seen['error_count']:,} errors, {seen['mixed_count']:,} mixed versions"
        + "".join(f"; {told}" for told in [*seen["errors"], *seen["mixed"]]),
    ]


def _equality(result: Refreshed) -> str:
    merged = f"{result.merged:,} of {result.wanted_merges:,} merges"
    if result.differences:
        return f"REFRESHED AND REBUILT DIFFER: {'; '.join(map(str, result.differences))}; {merged}"
    named = "one version" if result.same_version else "TWO VERSIONS"
    return (
        f"refreshed as rebuilt: every column of {result.tables} tables, {result.rows:,} rows,"
        f" {named}; {merged}"
    )


def _refresh_verdicts(result: Refreshed) -> list[str]:
    if not (small := result.small):
        return []
    last = small[-1].cost.cpu_seconds
    wanted = next((share for least, share in AIMS_REBUILD if result.case.contacts >= least), None)
    found = [
        ("of a dbt build of the sample", last / result.sample_build.cpu_seconds, AIM_SAMPLE),
    ]
    if wanted is not None:
        found.insert(0, ("of the rebuild", last / result.rebuild.cpu_seconds, wanted))
    if len(small) > 1:
        found.append(("of the first refresh", last / small[0].cost.cpu_seconds, AIM_LAST))
    return [
        f"  {value:.3f} {of} in processor seconds, wanted at most {aim:g}:"
        f" {'met' if value <= aim else 'NOT met'}"
        for of, value, aim in found
    ]


def as_json(plan: Plan, results: list[Result]) -> dict[str, Any]:
    """Everything measured, for programs."""
    return {
        "machine": heading(plan),
        "memory_limit": plan.memory_limit,
        "threads": plan.threads,
        "cases": [
            {
                **asdict(result),
                "wall_ratio": result.refresh.wall_seconds / result.baseline.wall_seconds,
                "cpu_ratio": result.refresh.cpu_seconds / result.baseline.cpu_seconds,
                "components_ratio": result.components_seconds / _scipy_seconds(result),
            }
            for result in results
        ],
    }


def _scipy_seconds(result: Result) -> float:
    """From edges to labels, without starting Python and importing."""
    return sum(result.scipy_parts.values())


def _row(name: str, cost: Cost, base: Cost | None) -> str:
    if cost.status is None:
        return f"  {name:<44}stopped after {cost.wall_seconds:.0f} s, {_size(cost.peak_bytes)}"
    if cost.status != 0:
        return f"  {name:<44}failed after {cost.wall_seconds:.0f} s, {_size(cost.peak_bytes)}"
    ratios = (
        _ratio(cost.wall_seconds, base.wall_seconds) + _ratio(cost.cpu_seconds, base.cpu_seconds)
        if base
        else ""
    )
    return (
        f"  {name:<44}{cost.wall_seconds:>8.1f}s{cost.cpu_seconds:>8.1f}s"
        f"{_size(cost.peak_bytes):>10}{ratios}"
    )


def _ratio(ours: float, theirs: float) -> str:
    return f"{ours / theirs:>8.2f}"


def _size(count: float) -> str:
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.0f} MB"


def _seconds(parts: dict[str, float]) -> str:
    return ", ".join(f"{name} {seconds:.1f} s" for name, seconds in parts.items())


def _largest(parts: dict[str, float], number: int) -> dict[str, float]:
    return dict(sorted(parts.items(), key=lambda item: -item[1])[:number])


def _agreement(result: Result) -> str:
    what = "every column" if result.every_column else "the number of rows"
    total = sum(result.rows.values())
    if result.differences:
        same = f"CONTENT DIFFERS from (a): {'; '.join(result.differences)}"
    else:
        same = f"content as (a): {what} of {len(result.rows)} tables, {total:,} rows"
    return same + ("; components as (c)" if result.scipy_agrees else "; COMPONENTS DIFFER from (c)")


def _wrap(line: str, width: int = 100) -> list[str]:
    lines, rest = [], line
    while len(rest) > width:
        cut = rest.rfind(" ", 6, width + 1)
        if cut < 0:
            break
        lines.append(rest[:cut])
        rest = "    " + rest[cut + 1 :]
    return [*lines, rest]
