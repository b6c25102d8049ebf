"""`make bench`: the pipeline against the yardsticks.

Belongs here: arguments, progress, the exit status. Does not belong here: running or measuring.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from bench import __doc__ as description
from bench import kills, refreshes, report, serving, spark
from bench.cases import Case, Plan, Result, now, run_case
from bench.processes import ProgramError
from throughline.settings import SettingError

# About a million conversations with 8.8 million messages, and ten million conversations.
SERVED = Case(contacts=1_470_000, messages_per_contact=6)
SERVED_LARGE = Case(contacts=14_700_000)
MESSAGES = [0, 8]
SHAPES = ("chain", "star", "cycle")
SHAPE_CONTACTS = 100_000
# Next to nothing to do: what starting Python, Dagster and dbt costs.
SMALLEST = Case(contacts=100)


def _numbers(text: str) -> list[int]:
    try:
        numbers = [int(part.replace("_", "")) for part in text.split(",") if part.strip()]
    except ValueError:
        numbers = []
    if not numbers or min(numbers) < 0:
        raise argparse.ArgumentTypeError(
            f"{text!r}: write whole numbers such as 1_000_000,10_000_000"
        )
    return numbers


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog='make bench ARGS="…"', description=description)
    parser.add_argument(
        "--contacts", type=_numbers, metavar="N,…", help="sizes (default: 1_000_000)"
    )
    parser.add_argument("--full", action="store_true", help="1 and 10 million contacts")
    parser.add_argument(
        "--messages-per-contact",
        type=_numbers,
        default=MESSAGES,
        metavar="N,…",
        help="with and without messages (default: 0,8)",
    )
    parser.add_argument(
        "--no-shapes", action="store_true", help="leave out the chain, star and cycle of 100,000"
    )
    parser.add_argument(
        "--no-serving", action="store_true", help="leave out the server over a published snapshot"
    )
    parser.add_argument(
        "--shape-contacts", type=int, default=SHAPE_CONTACTS, metavar="N", help="their size"
    )
    parser.add_argument(
        "--dir", type=Path, metavar="DIR", help="where the data goes (default: a temporary folder)"
    )
    parser.add_argument("--keep", action="store_true", help="do not remove the data")
    parser.add_argument("--memory-limit", default="4GB", help="DuckDB's (default: %(default)s)")
    parser.add_argument(
        "--threads", type=int, default=os.cpu_count() or 1, help="DuckDB's (default: all)"
    )
    parser.add_argument(
        "--recursion-limit",
        type=float,
        default=300,
        metavar="SECONDS",
        help="stop the script with the recursive query after this time, or after three times the"
        " yardstick's if that is more (default: %(default)s)",
    )
    parser.add_argument(
        "--kills",
        type=int,
        metavar="N",
        help="instead: kill N whole runs at random moments, and look at what each leaves",
    )
    parser.add_argument(
        "--refreshes",
        action="store_true",
        help="instead: what a delivery costs after the first logs, beside a rebuild",
    )
    parser.add_argument(
        "--delivered", type=int, metavar="N", help="its contacts (default: one in a thousand)"
    )
    parser.add_argument(
        "--refreshes-on-end",
        type=int,
        metavar="N",
        help="the same with N deliveries, one after the other, while a client reads",
    )
    parser.add_argument(
        "--engine",
        choices=["duckdb", "spark"],
        default="duckdb",
        help="spark, instead: a rebuild by Spark beside one by DuckDB, first of the sample",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every number there")
    return parser


def _cases(options: argparse.Namespace) -> list[Case]:
    sizes = options.contacts or ([1_000_000, 10_000_000] if options.full else [1_000_000])
    cases = [] if options.no_shapes else [SMALLEST]
    cases += [Case(size, messages) for size in sizes for messages in options.messages_per_contact]
    if not options.no_shapes:
        cases += [Case(options.shape_contacts, shape=shape) for shape in SHAPES]
    return cases


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks.

    Returns:
        0; 1 when a program failed or two that should agree do not; 2 when the disk is too small.
    """
    options = _parser().parse_args(arguments)
    parent = options.dir or Path(tempfile.gettempdir())
    parent.mkdir(parents=True, exist_ok=True)
    by_spark = options.engine == "spark"
    if options.refreshes or options.refreshes_on_end or by_spark:
        options.refreshes = not by_spark
        if options.messages_per_contact == MESSAGES:
            options.messages_per_contact = MESSAGES[-1:]
        options.no_shapes = True
    # Runs that are killed are small ones: the cases and their room are of the rest.
    cases = [] if options.kills else _cases(options)
    if cases:
        needed, free = max(case.disk_bytes for case in cases), shutil.disk_usage(parent).free
        print(f"{len(cases)} cases, one after the other, in {parent}")
        print(f"up to {needed / 1e9:.1f} GB of disk are needed at a time, {free / 1e9:.1f} GB free")
        if needed > free:
            told = "error: not enough room: give another --dir or a smaller --contacts"
            print(told, file=sys.stderr)
            return 2
    folder = Path(tempfile.mkdtemp(prefix="throughline-bench-", dir=parent))
    began = now()

    def tell(line: str) -> None:
        print(f"[{now() - began:5.0f} s]   {line}", file=sys.stderr, flush=True)

    if options.kills:
        all_well = kills.main(folder, options.kills, options.memory_limit, tell)
        if all_well and not options.keep:
            shutil.rmtree(folder)
        return 0 if all_well else 1
    plan = Plan(
        folder=folder,
        memory_limit=options.memory_limit,
        threads=options.threads,
        recursion_limit=options.recursion_limit,
        keep=options.keep,
    )
    print(report.heading(plan) + "\n", flush=True)
    if options.refreshes:
        all_well = _refresh(cases, plan, tell, options)
        if all_well and not options.keep:
            shutil.rmtree(folder)
        return 0 if all_well else 1
    if by_spark:
        all_well = _engines([None, *cases], plan, tell)
        if all_well and not options.keep:
            shutil.rmtree(folder)
        return 0 if all_well else 1
    results: list[Result] = []
    failed = False

    for case in cases:
        tell(case.title)
        # A chain of 100,000 would take hours; a minute shows it.
        limit = min(plan.recursion_limit, 60) if case.shape else plan.recursion_limit
        try:
            result = run_case(case, replace(plan, recursion_limit=limit), tell)
        except ProgramError as error:
            failed = True
            print(f"{case.title}\n  FAILED: {error}\n", flush=True)
            continue
        results.append(result)
        failed = failed or bool(result.differences) or not result.scipy_agrees
        print(report.text(result) + "\n", flush=True)
        if options.json:
            options.json.write_text(json.dumps(report.as_json(plan, results), indent=2) + "\n")
    if results:
        print(report.verdicts(results))
    if not options.no_serving:
        served = [SERVED, SERVED_LARGE] if options.full else [SERVED]
        measured, serving_failed = _serve(served, plan, tell)
        failed = failed or serving_failed
        if options.json:
            numbers = report.as_json(plan, results) | {"serving": [asdict(m) for m in measured]}
            options.json.write_text(json.dumps(numbers, indent=2) + "\n")
    if options.keep or failed:
        print(f"what was written is in {folder}")
    else:
        shutil.rmtree(folder)
    return 1 if failed else 0


def _refresh(
    cases: Sequence[Case], plan: Plan, tell: Callable[[str], None], options: argparse.Namespace
) -> bool:
    """Deliver after each case, and tell what came of it. Gives whether all was as it must be."""
    results: list[refreshes.Result] = []
    failed = False
    for case in cases:
        tell(f"{case.title}, then deliveries")
        try:
            result = refreshes.measure(
                case,
                plan,
                tell,
                delivered=options.delivered or max(10, case.contacts // refreshes.SHARE),
                on_end=options.refreshes_on_end or 1,
            )
        except ProgramError as error:
            failed = True
            print(f"{case.title}\n  FAILED: {error}\n", flush=True)
            continue
        results.append(result)
        failed = failed or not result.is_right
        print(report.refreshes_text(result) + "\n", flush=True)
        if options.json:
            numbers = {"machine": report.heading(plan), "refreshes": [asdict(r) for r in results]}
            options.json.write_text(json.dumps(numbers, indent=2) + "\n")
    return not failed


def _engines(cases: Sequence[Case | None], plan: Plan, tell: Callable[[str], None]) -> bool:
    """Build each case by Spark and by DuckDB. Gives whether both gave the same."""
    all_well = True
    for case in cases:
        tell(case.title if case else "the committed sample")
        try:
            result = spark.measure(case, plan, tell)
        except (ProgramError, SettingError) as error:
            all_well = False
            print(f"{case.title if case else 'the sample'}\n  FAILED: {error}\n", flush=True)
            continue
        all_well = all_well and not result.differences and result.same_version
        print(spark.text(result) + "\n", flush=True)
    return all_well


def _serve(
    cases: Sequence[Case], plan: Plan, tell: Callable[[str], None]
) -> tuple[list[serving.Report], bool]:
    """Publish each case and measure the server over it.

    Returns:
        What was measured, and whether a program failed or an answer was no success.
    """
    reports: list[serving.Report] = []
    for case in cases:
        folder = plan.folder / f"served_{case.slug}"
        folder.mkdir()
        tell(f"publishing {case.title}, to be served")
        try:
            warehouse = serving.published(
                folder,
                case.contacts,
                case.messages_per_contact,
                plan.memory_limit,
                plan.threads,
            )
            tell("asking the server")
            measured = serving.measure(warehouse, only_pages=case is not cases[0])
        except (ProgramError, RuntimeError) as error:
            print(f"the server over {case.title}\n  FAILED: {error}\n", flush=True)
            return reports, True
        reports.append(measured)
        print("\n" + serving.text(measured), flush=True)
        if not plan.keep:
            shutil.rmtree(folder)
    return reports, False


if __name__ == "__main__":
    sys.exit(main())
