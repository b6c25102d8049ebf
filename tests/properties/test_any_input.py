"""Whatever comes in, in whatever order: partition, ids, facts and reports are right.

One example is a warehouse with many small random graphs, because a build costs seconds and one more
graph costs nothing. A failure prints the rows of the smallest graph that it concerns.
"""

from __future__ import annotations

import hashlib
import random
import tempfile
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import reference
from canonical import canonical, first_differences
from harness import Pipeline, Row
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from rebuilt import Rebuilt
from verdict import Ids, explained, fact_problems, partition_problems, report_problems
from worlds import BATCHES, World, draw

SOURCES = 10
ISLANDS = 15
FORMATS = ("csv", "jsonl", "json", "csv.gz", "parquet")


def registered(home: Path, worlds: Sequence[World]) -> Pipeline:
    """A pipeline below a folder whose registry says what the worlds do."""
    return Pipeline(
        home,
        sources=[
            {
                "source": world.source,
                "time_zone": world.policy.time_zone,
                "reject_visitor_mismatch": str(world.policy.reject_visitor_mismatch).lower(),
                "max_gap_days": str(world.policy.max_gap_days or ""),
                "waiting_days": str(world.policy.waiting_days),
            }
            for world in worlds
        ],
        projects=[
            {
                "source": world.source,
                "project_id": world.project_id,
                "time_zone": world.policy.report_zone,
            }
            for world in worlds
        ],
    )


@contextmanager
def _pipeline(worlds: Sequence[World]) -> Iterator[Pipeline]:
    with tempfile.TemporaryDirectory() as folder:
        yield registered(Path(folder), worlds)


def deliver(
    pipeline: Pipeline, worlds: Sequence[World], batches: Sequence[int], chance: random.Random
) -> None:
    """Write the rows of some batches, shuffled, in one file or two per log, in any format."""
    for world in worlds:
        rows: dict[str, list[Row]] = defaultdict(list)
        for delivery in world.deliveries:
            if delivery.batch in batches:
                rows[delivery.log].append(delivery.row)
        for log, found in rows.items():
            chance.shuffle(found)
            cut = chance.randrange(len(found) + 1) if chance.random() < 0.3 else len(found)
            for part in (found[:cut], found[cut:]):
                if part:
                    pipeline.write(world.source, log, part, fmt=chance.choice(FORMATS))


def _checksums(pipeline: Pipeline) -> dict[str, str]:
    root = pipeline.settings.published_dir / "parquet"
    return {
        str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*.parquet"))
    }


@pytest.mark.timeout(1800)
@settings(max_examples=2, phases=[Phase.generate])
@given(seed=st.integers(0, 2**32 - 1))
def test_any_graph_in_any_batches_order_and_repeats_gives_the_right_marts_under_stable_ids(
    seed: int,
) -> None:
    chance = random.Random(seed)
    worlds = [draw(chance.randrange(2**32), f"s{number}", ISLANDS) for number in range(SOURCES)]
    with _pipeline(worlds) as pipeline:
        ids, rebuilt = Ids(worlds), Rebuilt(pipeline.home / "rebuilt")
        for batch in range(BATCHES):
            deliver(pipeline, worlds, [batch], chance)
            pipeline.land()
            pipeline.build()
            # The first file is built, the others are merged into what stands.
            assert pipeline.is_refresh is (batch > 0), pipeline.planned
            # Each refresh begins from the one before, so what one got wrong is still there.
            if batch == BATCHES - 1:
                rebuilt.build(pipeline)
                differences = rebuilt.differences(pipeline)
                assert not differences, f"seed {seed}, run {batch + 1}: " + "\n".join(differences)
            pipeline.publish()
            in_batches = pipeline.snapshot()
            expected = {
                world.source: reference.conversations(
                    world.source, world.logs(batch + 1), world.policy
                )
                for world in worlds
            }
            problems = partition_problems(expected, in_batches) + ids.follow(in_batches)
            assert not problems, f"seed {seed}, run {batch + 1}: {explained(problems, worlds)}"
        problems = report_problems(worlds, expected, in_batches)
        for world in worlds:
            problems += fact_problems(world, expected[world.source], in_batches)
        assert not problems, f"seed {seed}: {explained(problems, worlds)}"

        published = _checksums(pipeline)
        pipeline.rebuild()
        differences = first_differences(in_batches, pipeline.snapshot())
        assert not differences, f"seed {seed}: a rebuild differs\n" + "\n".join(differences)
        assert published
        assert published == _checksums(pipeline)

    with _pipeline(worlds) as pipeline:
        deliver(pipeline, worlds, range(BATCHES), chance)
        pipeline.run()
        at_once = pipeline.snapshot()
    differences = first_differences(canonical(in_batches), canonical(at_once))
    assert not differences, f"seed {seed}: one load and several differ\n" + "\n".join(differences)
