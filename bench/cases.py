"""The cases: what input, which programs, what came out.

Belongs here: making a case's input, running every program on it, cleaning up. Does not belong here:
measuring a program (`processes.py`), the report (`report.py`).
"""

from __future__ import annotations

import json
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench import comparison, pipeline
from bench.processes import Cost, run
from throughline.settings import REPOSITORY

# Bytes on disk at the worst moment, measured: logs, warehouse, published files and what DuckDB
# spills, of the pipeline and then of the yardstick.
BYTES_PER_CONTACT = 1_500
BYTES_PER_MESSAGE = 550
# Comparing every column takes about as long as a run; larger cases compare rows by table.
COMPARED_CONTACTS = 2_000_000


@dataclass(frozen=True)
class Case:
    """One input.

    Attributes:
        contacts: how many.
        messages_per_contact: 0 for no messages.
        shape: None for ordinary contacts, or `chain`, `star`, `cycle`: one conversation.
    """

    contacts: int
    messages_per_contact: int = 0
    shape: str | None = None

    @property
    def title(self) -> str:
        """What the case is, for people."""
        if self.shape:
            return f"a {self.shape} of {self.contacts:,} contacts"
        if not self.messages_per_contact:
            return f"{self.contacts:,} contacts, 30 % transferred, no messages"
        return (
            f"{self.contacts:,} contacts, 30 % transferred, {self.messages_per_contact} messages"
            f" each ({self.contacts * self.messages_per_contact:,})"
        )

    @property
    def slug(self) -> str:
        """A folder's name."""
        return f"{self.shape or 'ordinary'}_{self.contacts}_{self.messages_per_contact}"

    @property
    def disk_bytes(self) -> int:
        """Room that the case takes at its worst moment."""
        messages = self.contacts * self.messages_per_contact
        return 500_000_000 + self.contacts * BYTES_PER_CONTACT + messages * BYTES_PER_MESSAGE


@dataclass(frozen=True)
class Plan:
    """How the cases are run.

    Attributes:
        folder: receives a folder per case, removed again unless `keep`.
        memory_limit: the pipeline's, and DuckDB's in the yardsticks.
        threads: DuckDB's, for every program alike.
        recursion_limit: seconds after which the script with the recursive query is stopped, unless
            three times the yardstick's time is more.
        keep: leave everything on disk.
    """

    folder: Path
    memory_limit: str
    threads: int
    recursion_limit: float
    keep: bool


@dataclass
class Result:
    """What a case gave.

    Attributes:
        case: the input.
        input_bytes: size of the logs.
        written_bytes: size of everything that the pipeline left on disk.
        refresh: the pipeline's first run.
        again: its second run, with nothing new.
        parts: seconds of its parts.
        slowest: the slowest dbt models, in seconds.
        baseline: the yardstick.
        baseline_parts: seconds of its steps.
        recursion: the yardstick with the recursive query; status None when it was stopped, not 0
            when it ended with an error, as a rule out of memory.
        recursion_seconds: seconds of the recursive query alone; None when it did not end.
        edges: links that the component step read.
        components_seconds: the pipeline's component step, from edges to labels.
        scipy: the same with scipy, as a program.
        scipy_parts: seconds of its parts.
        scipy_agrees: whether both found the same components.
        rows: rows of each compared table.
        differences: where pipeline and yardstick differ.
        every_column: whether every column was compared, or only the number of rows.
    """

    case: Case
    input_bytes: int
    written_bytes: int
    refresh: Cost
    again: Cost
    parts: dict[str, float]
    slowest: dict[str, float]
    baseline: Cost
    baseline_parts: dict[str, float]
    recursion: Cost
    recursion_seconds: float | None
    edges: int
    components_seconds: float
    scipy: Cost
    scipy_parts: dict[str, float]
    scipy_agrees: bool
    rows: dict[str, int] = field(default_factory=dict)
    differences: list[str] = field(default_factory=list)
    every_column: bool = True


def run_case(case: Case, plan: Plan, tell: Callable[[str], None]) -> Result:
    """Make the input, run everything on it, remove it.

    Raises:
        ProgramError: a program failed.
        OSError: the disk.
    """
    folder = plan.folder / case.slug
    with workspace(folder, keep=plan.keep):
        log = folder / "output.log"
        registry = empty_registry(folder / "registry")
        landing = folder / "landing"
        tell("making the logs")
        _generate(case, landing, plan, log)
        settings = pipeline.settings_of(
            landing, folder / "warehouse", registry, plan.memory_limit, plan.threads
        )
        tell("the pipeline")
        refresh = pipeline.refresh(settings, log)
        parts, models = pipeline.step_seconds(settings), pipeline.model_seconds(settings)
        tell("the pipeline again, with nothing new")
        again = pipeline.refresh(settings, log)

        tell("(a) the yardstick")
        by_contraction = folder / "baseline.duckdb"
        baseline = _baseline(plan, landing, registry, by_contraction, "contraction", log)
        assert baseline.status == 0
        tell("comparing")
        if every_column := case.contacts <= COMPARED_CONTACTS:
            found = comparison.differences(settings.published_file, by_contraction)
            differences = [str(difference) for difference in found]
        else:
            differences = _different_counts(settings.published_file, by_contraction)
        rows = comparison.row_counts(settings.published_file)
        baseline_parts = json.loads(by_contraction.with_suffix(".json").read_bytes())
        by_contraction.unlink()

        tell("(b) the yardstick with a recursive query")
        by_recursion = folder / "recursion.duckdb"
        # The rest of the script takes its time too: only what is far beyond (a) is stopped.
        limit = max(plan.recursion_limit, 3 * baseline.wall_seconds)
        recursion = _baseline(plan, landing, registry, by_recursion, "recursion", log, limit)
        recursion_seconds = None
        if recursion.status == 0:
            recursion_parts = json.loads(by_recursion.with_suffix(".json").read_bytes())
            recursion_seconds = recursion_parts["components"]
        by_recursion.unlink(missing_ok=True)
        shutil.rmtree(by_recursion.with_suffix(".tmp"), ignore_errors=True)

        tell("(c) scipy")
        labelled = folder / "scipy.duckdb"
        edges = pipeline.copy_edges(settings, labelled)
        scipy = _run_module(
            "bench.scipy_components",
            {"database": labelled, "memory-limit": plan.memory_limit, "threads": plan.threads},
            log,
        )
        models_only = {
            name: seconds for name, seconds in models.items() if name.startswith("model.")
        }
        return Result(
            case=case,
            input_bytes=_size(landing),
            written_bytes=pipeline.bytes_written(settings),
            refresh=refresh,
            again=again,
            parts=parts,
            slowest={
                name.rpartition(".")[2]: seconds
                for name, seconds in sorted(models_only.items(), key=lambda item: -item[1])[:8]
            },
            baseline=baseline,
            baseline_parts=baseline_parts,
            recursion=recursion,
            recursion_seconds=recursion_seconds,
            edges=edges,
            components_seconds=models[pipeline.COMPONENTS_MODEL],
            scipy=scipy,
            scipy_parts=json.loads(labelled.with_suffix(".json").read_bytes()),
            scipy_agrees=pipeline.labels_agree(settings, labelled),
            rows=rows,
            differences=differences,
            every_column=every_column,
        )


@contextmanager
def workspace(folder: Path, *, keep: bool) -> Iterator[None]:
    folder.mkdir(parents=True)
    try:
        yield
    except BaseException:
        # The programs' output is what explains a failure.
        if not keep:
            for path in folder.iterdir():
                if path.is_dir():
                    shutil.rmtree(path)
                elif path.suffix != ".log":
                    path.unlink()
        raise
    if not keep:
        shutil.rmtree(folder)


def _generate(case: Case, landing: Path, plan: Plan, log: Path) -> None:
    kind = (
        {"shape": case.shape} if case.shape else {"messages-per-contact": case.messages_per_contact}
    )
    _run_module(
        "seeds.generator",
        {"contacts": case.contacts, "out": landing, "threads": plan.threads, **kind},
        log,
    )


def _baseline(
    plan: Plan,
    landing: Path,
    registry: Path,
    database: Path,
    components: str,
    log: Path,
    limit: float | None = None,
) -> Cost:
    # That the recursive query does not fit in memory is what one wants to know of it.
    return _run_module(
        "bench.baseline",
        {
            "landing": landing,
            "registry": registry,
            "database": database,
            "components": components,
            "memory-limit": plan.memory_limit,
            "threads": plan.threads,
        },
        log,
        limit,
        may_fail=components == "recursion",
    )


def _run_module(
    module: str,
    options: Mapping[str, object],
    log: Path,
    limit: float | None = None,
    *,
    may_fail: bool = False,
) -> Cost:
    """Run a module of this repository with `--name value` for each option."""
    arguments = [word for name, value in options.items() for word in (f"--{name}", str(value))]
    return run(
        [sys.executable, "-m", module, *arguments],
        log=log,
        cwd=REPOSITORY,
        limit_seconds=limit,
        may_fail=may_fail,
    )


def empty_registry(folder: Path) -> Path:
    """A registry without rows: the generated source has the defaults."""
    folder.mkdir()
    for name in ("sources.csv", "projects.csv"):
        header = (REPOSITORY / "seeds" / "registry" / name).read_text(encoding="utf-8")
        (folder / name).write_text(header.splitlines()[0] + "\n", encoding="utf-8")
    return folder


def _different_counts(published: Path, baseline: Path) -> list[str]:
    here, there = comparison.row_counts(published), comparison.row_counts(baseline)
    return [
        f"{table}: {here[table]:,} rows here, {there[table]:,} rows there"
        for table in here
        if here[table] != there[table]
    ]


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def now() -> float:
    """Seconds of a clock that never goes back."""
    return time.monotonic()
