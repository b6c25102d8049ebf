"""Whatever comes next, and however a run ends: what stands is what a rebuild would make.

A state machine. What may happen to three sources at once: they deliver more of their world, correct
what they said, take links back, move messages, ratings and sales, change their agents; the registry
changes; a run ends well, or fails, or is killed, or publishes nothing. The second warehouse is
built from the raw tables of the first at the end, and before anything that makes the first build
all of it anew: up to there each refresh has begun from the one before, so that what one of them got
wrong is still there. `MACHINE_COMPARE=always` compares after each build.

`MACHINE_SEQUENCES=1000` is the nightly form, in as many parts as `MACHINE_PARTS` says, each with
seeds of its own from `MACHINE_SEED`. A failure shows the smallest sequence that was found, and the
rows that it delivered.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
from harness import Pipeline, PipelineError, dbt
from hypothesis import Phase, note, seed, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from living import KINDS, Living
from rebuilt import Rebuilt
from worlds import draw

from throughline.landing import arrivals
from throughline.publishing import gate
from throughline.publishing import publish as publishing
from throughline.refreshing import builds, merging

SEQUENCES = int(os.environ.get("MACHINE_SEQUENCES", "0"))
PARTS = int(os.environ.get("MACHINE_PARTS", "1"))
SEED = int(os.environ.get("MACHINE_SEED", "0"))
COMPARES_ALWAYS = os.environ.get("MACHINE_COMPARE") == "always"

ISLANDS = 3
# The worlds that a sequence may begin with; each is built once.
BEGINNINGS = 6 if SEQUENCES else 1
# Of a sequence: a build is what takes its time.
MOST_BUILDS = 4 if SEQUENCES else 2
POLICIES: dict[str, tuple[str, ...]] = {
    "time_zone": ("UTC", "Europe/Paris", "America/New_York"),
    "reject_visitor_mismatch": ("false", "true"),
    "max_gap_days": ("", "10", "300"),
    "waiting_days": ("7", "0", "2000", "100"),
}
Registry = dict[str, dict[str, str]]


class Killed(BaseException):
    """The process is gone."""


class _Beginnings:
    """Warehouses with the first files of some worlds, built and published, to start from."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._home = Path(self._folder.name)
        self.rebuilt = Rebuilt(self._home / "rebuilt")

    def started(self, number: int) -> tuple[Pipeline, list[Living], Registry]:
        """A pipeline as it is after its first run, its sources, and their registry.

        Always at the same place: where the registry lies is part of what a build is made from.
        """
        chance = random.Random(number)
        worlds = [draw(chance.randrange(2**32), name, ISLANDS) for name in ("a", "b", "c")]
        sources = [Living(world) for world in worlds]
        registry = {
            world.source: {
                "time_zone": world.policy.time_zone,
                "reject_visitor_mismatch": str(world.policy.reject_visitor_mismatch).lower(),
                "max_gap_days": str(world.policy.max_gap_days or ""),
                "waiting_days": str(world.policy.waiting_days),
            }
            for world in worlds
        }
        home, kept = self._home / "first", self._home / f"kept_{number}"
        shutil.rmtree(home, ignore_errors=True)
        pipeline = Pipeline(
            home,
            sources=[{"source": source, **row} for source, row in registry.items()],
            projects=[
                {"source": world.source, "project_id": project, "time_zone": zone}
                for world in worlds
                for project, zone in (
                    (world.project_id, world.policy.report_zone),
                    (f"{world.source}_other", "Asia/Kolkata"),
                )
            ],
        )
        if kept.exists():
            shutil.rmtree(home)
            shutil.copytree(kept, home, symlinks=True)
            for source in sources:
                source.taken()
        else:
            _write(pipeline, sources)
            pipeline.run()
            shutil.copytree(home, kept, symlinks=True)
        return pipeline, sources, registry

    _instance: _Beginnings | None = None

    @classmethod
    def of_this_process(cls) -> _Beginnings:
        if cls._instance is None:
            cls._instance = cls()
        return cls._instance


def _write(pipeline: Pipeline, sources: list[Living]) -> bool:
    """Write what the sources send; whether that is anything."""
    found = [(source.world.source, source.taken()) for source in sources]
    for name, logs in found:
        for log, rows in logs.items():
            pipeline.write(name, log, rows)
    return any(logs for _, logs in found)


def _files(pipeline: Pipeline) -> dict[str, str]:
    """The checksum of each published table, but of what hangs on what was published before it."""
    return {
        model["name"]: model["parquet"]["sha256"]
        for model in pipeline.manifest()["models"]
        if model["name"] != "restatements"
    }


def _dies(*_: Any, **__: Any) -> Any:
    raise Killed


@contextlib.contextmanager
def _in_place_of(module: Any, name: str, other: Callable[..., Any]) -> Iterator[None]:
    real = getattr(module, name)
    setattr(module, name, other)
    try:
        yield
    finally:
        setattr(module, name, real)


_PICKS = st.integers(0, 2**16)


class Machine(RuleBasedStateMachine):
    """One warehouse, and what happens to it."""

    def __init__(self) -> None:
        super().__init__()
        self.pipeline: Pipeline | None = None
        self.builds = 0
        self.changes = 0
        # Loads that no build has seen, and what was built and is not published.
        self.loaded = self.unpublished = self.unproven = False
        # What must come of the next build: None where both may.
        self.refreshes: bool | None = True
        self.is_compared = True
        # Whether the ids and merges that the last build found are on record.
        self.is_recorded = False

    @initialize(number=st.integers(0, BEGINNINGS - 1))
    def begin(self, number: int) -> None:
        beginnings = _Beginnings.of_this_process()
        self.pipeline, self.sources, self.registry = beginnings.started(number)
        self.rebuilt = beginnings.rebuilt

    # --- what the sources send

    @rule(
        kind=st.sampled_from(sorted(KINDS)),
        changes=st.lists(st.tuples(st.integers(0, 2), _PICKS, _PICKS), min_size=1, max_size=6),
    )
    def change(self, kind: str, changes: list[tuple[int, int, int]]) -> None:
        for source, pick, choice in changes:
            self.sources[source].change(kind, pick, choice)
        self.changes += 1

    @rule(again=_PICKS)
    def repeat_a_file(self, again: int) -> None:
        """A whole file once more, under another name: known by its content, unless it has grown."""
        files = sorted(
            path for path in self.pipeline.settings.landing_dir.rglob("*.csv") if path.is_file()
        )
        path = files[again % len(files)]
        content = path.read_bytes() + (b"" if again % 2 else b"\n")
        path.with_name(f"again_{len(files)}.csv").write_bytes(content)

    # --- what the machine does

    def _can_build(self) -> bool:
        return self.builds < MOST_BUILDS and self.changes >= 2

    @rule()
    def load(self) -> None:
        """Several loads come before a build."""
        self._land()

    @precondition(_can_build)
    @rule(publishes=st.booleans())
    def run(self, publishes: bool) -> None:
        self._land()
        if not self.loaded and not self.unproven:
            return
        self._build()
        if publishes:
            self._publish()

    @precondition(_can_build)
    @rule(after=st.sampled_from(("the plan", "some models", "a failed check")))
    def fail(self, after: str) -> None:
        """A run that ends before anything is merged: killed, or a model or a check failed."""
        self._land()
        if not self.loaded or self.refreshes is not True:
            return
        build = builds.begin(
            self.pipeline.settings, "failed", everything=True, manifest=self._manifest()
        )
        self._check_kind(build)
        if after != "the plan":
            arguments = ["build", "--exclude-resource-type", "unit_test", "--select"]
            dbt([*arguments, "staging", "records"], self.pipeline.settings, build.environment)
        if after == "a failed check":
            build.end({}, None, passed=False)
            build.close()
        gate.record_failure(self.pipeline.settings)

    @precondition(_can_build)
    @rule()
    def fail_a_check(self) -> None:
        """A blocking check finds what it is for: one id that leads to two conversations."""
        self._compare_built()
        self._land()
        if not self.loaded:
            return
        pair = self.pipeline.query(
            "select min(source) as source, min(contact_id) as contact_id"
            " from marts.contacts group by conversation_id order by all limit 2"
        )
        file = str(self.pipeline.settings.warehouse_file)
        with duckdb.connect(file) as connection:
            connection.executemany(
                "insert into raw.published_ids values ('broken', ?, ?, 1)",
                [list(row.values()) for row in pair],
            )
        with pytest.raises(PipelineError, match="assert_every_published_id_resolves"):
            self.pipeline.build()
        with duckdb.connect(file) as connection:
            connection.execute("delete from raw.published_ids where conversation_id = 'broken'")
        gate.record_failure(self.pipeline.settings)
        self.builds += 1
        self.refreshes, self.unproven = None, True

    @precondition(_can_build)
    @rule(where=st.sampled_from(("before the merge", "in the merge", "after the merge")))
    def kill(self, where: str) -> None:
        """A run that is killed as it merges: nobody knows what it left, all is built anew."""
        self._compare_built()
        self._land()
        if not self.loaded or self.refreshes is not True:
            return
        module, name = {
            "before the merge": (merging, "merge"),
            "in the merge": (merging, "_note_days"),
            "after the merge": (gate, "finish_merge"),
        }[where]
        with _in_place_of(module, name, _dies), contextlib.suppress(Killed):
            self.pipeline.build()
        self.builds += 1
        self.refreshes, self.unproven = False, True

    @precondition(_can_build)
    @rule(where=st.sampled_from(("clean", "record", "install", "prune")))
    def break_publication(self, where: str) -> None:
        """A publication that is killed after a refresh."""
        self._land()
        if not self.loaded and not self.unproven:
            return
        self._build()
        with _in_place_of(publishing, where, _dies), contextlib.suppress(Killed):
            self.pipeline.publish()
        # Ids and merges may be on record all the same.
        self.is_recorded = where in {"install", "prune"}
        if self.refreshes:
            # Where ids were recorded, they are the ones that are known and not yet built on.
            self.refreshes = True if where == "clean" else None

    @precondition(lambda self: self.builds < MOST_BUILDS and self.changes >= 3)
    @rule(source=st.integers(0, 2), column=st.sampled_from(sorted(POLICIES)), choice=_PICKS)
    def change_registry(self, source: int, column: str, choice: int) -> None:
        """A policy, a time zone or a limit changes: all is built anew."""
        row = self.registry[self.sources[source].world.source]
        value = POLICIES[column][choice % len(POLICIES[column])]
        if row[column] == value:
            return
        self._compare_built()
        row[column] = value
        lines = [",".join(("source", "currency", *POLICIES))]
        lines += [
            ",".join((name, "", *(found[column] for column in POLICIES)))
            for name, found in self.registry.items()
        ]
        file = self.pipeline.settings.registry_dir / "sources.csv"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        self.refreshes, self.unproven = False, True

    def teardown(self) -> None:
        if self.pipeline is None or not self.changes:
            return
        self._land()
        if self.loaded or self.unproven:
            self._build()
        self._compare()
        if self.unpublished:
            self._publish()
            # A rebuild has the same rows, so its files are the same to the byte.
            publishing.publish(self.rebuilt.pipeline.settings, run_id="rebuilt")
            one, other = (_files(pipeline) for pipeline in (self.pipeline, self.rebuilt.pipeline))
            differing = sorted(name for name in one if one[name] != other[name])
            assert not differing, self._explained([f"other files of {', '.join(differing)}"])
            if not self.pipeline.published("reports.restatements"):
                versions = {
                    gate.published_version(pipeline.settings)
                    for pipeline in (self.pipeline, self.rebuilt.pipeline)
                }
                assert len(versions) == 1, self._explained([f"two versions: {versions}"])

    # --- the steps of a run

    def _manifest(self) -> Any:
        file = self.pipeline.settings.dbt_target_dir / "manifest.json"
        return json.loads(file.read_bytes())

    def _land(self) -> None:
        _write(self.pipeline, self.sources)
        before = arrivals.last_load_no(self.pipeline.settings)
        self.pipeline.land()
        self.loaded |= arrivals.last_load_no(self.pipeline.settings) > before

    def _check_kind(self, build: Any) -> None:
        is_refresh = not build.sees_all
        if self.refreshes is not None:
            assert is_refresh is self.refreshes, self._explained([build.told])

    def _build(self) -> None:
        self.pipeline.build()
        self.builds += 1
        note(self.pipeline.planned)
        if self.refreshes is not None:
            found = self.pipeline.is_refresh
            assert found is self.refreshes, self._explained([self.pipeline.planned])
        self.refreshes, self.unpublished, self.is_compared = True, True, False
        self.is_recorded = False
        self.loaded = self.unproven = False
        if COMPARES_ALWAYS:
            self._compare()

    def _publish(self) -> None:
        self.pipeline.publish()
        self.unpublished, self.is_recorded = False, True

    def _compare(self) -> None:
        if self.is_compared or self.unproven:
            return
        self.is_compared = True
        self.rebuilt.build(self.pipeline)
        found = self.rebuilt.differences(self.pipeline, is_published=self.is_recorded)
        assert not found, self._explained(found)

    def _compare_built(self) -> None:
        """Compare, unless rows have been loaded since that no build has seen."""
        if not self.loaded:
            self._compare()

    def _explained(self, lines: list[str]) -> str:
        told = [line for source in self.sources for line in source.told]
        return "\n".join([*lines[:40], "what was delivered:", *told])


def _part(number: int) -> type[Machine]:
    part: type[Machine] = seed(SEED + number)(type(f"Machine{number}", (Machine,), {}))
    return part


@pytest.mark.timeout(0 if SEQUENCES else 600)
@pytest.mark.parametrize("part", range(PARTS))
def test_after_any_sequence_of_runs_the_public_models_are_those_of_a_rebuild(part: int) -> None:
    run_state_machine_as_test(
        _part(part),
        settings=settings(
            max_examples=-(-SEQUENCES // PARTS) if SEQUENCES else 3,
            stateful_step_count=24 if SEQUENCES else 10,
            derandomize=False,
            print_blob=False,
            phases=[Phase.generate, Phase.shrink] if SEQUENCES else [Phase.generate],
        ),
    )
