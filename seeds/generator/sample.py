"""Sample mode: tells the stories, delivers them and writes landing zone and truth.

Belongs here: the order of steps and replacing what an earlier run of the generator wrote.
Does not belong here: anything about content.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path

from seeds.generator.delivery import File, deliver
from seeds.generator.stories import Period, tell_all
from seeds.generator.truth import FILES_FILE, count, truth_files


class SampleError(RuntimeError):
    """The sample cannot be written; the message says what is in the way and what to do."""


@dataclass(frozen=True)
class Sample:
    """The files of one sample, in memory."""

    logs: list[File]
    truth: list[File]


def make_sample(
    conversations: int, period: Period, seed: int, with_bad_rows: bool = False
) -> Sample:
    """A sample: the same arguments give the same bytes.

    Args:
        conversations: how many over all sources, at least 1.
        period: what the logs cover.
        seed: any whole number.
        with_bad_rows: add a few rows that must be rejected.
    """
    logs: list[File] = []
    told = []
    for agents, stories in tell_all(conversations, period, seed):
        source = stories[0].source
        files, couriers = deliver(source, agents, stories, period, seed, with_bad_rows)
        logs += files
        told.append((source, stories, count(stories, couriers, len(agents))))
    return Sample(logs, truth_files(told, logs, period, seed))


def truth_dir_of(out: Path) -> Path:
    """Where the truth of a landing zone lies when nothing else is said: beside it."""
    return out.with_name(out.name.removesuffix("_logs") + "_truth")


def _listed(truth: Path) -> set[str]:
    """The paths that an earlier run wrote, from its own list."""
    listing = truth / FILES_FILE
    if not listing.is_file():
        return set()
    rows = csv.DictReader(io.StringIO(listing.read_text(encoding="utf-8")))
    # Only paths inside the landing zone: the list is a file that anybody can edit.
    return {
        row["path"]
        for row in rows
        if row.get("path") and not Path(row["path"]).is_absolute() and ".." not in row["path"]
    }


def write_sample(sample: Sample, out: Path, truth: Path) -> None:
    """Write a sample and remove what an earlier one had and this one has not.

    Args:
        sample: what to write.
        out: the landing zone.
        truth: the folder of the truth.

    Raises:
        SampleError: a folder of the sample's sources holds files that the generator did not write.
    """
    before, now = _listed(truth), {file.path for file in sample.logs}
    sources = {path.split("/", 1)[0] for path in now}
    present = {
        path.relative_to(out).as_posix()
        for source in sources
        for path in (out / source).rglob("*")
        if path.is_file()
    }
    foreign = sorted(present - before - now)
    if foreign:
        raise SampleError(
            f"{out / foreign[0]} was not written by the generator"
            + (f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else "")
            + ": move it away or choose another folder with --out"
        )
    for path in sorted(before - now):
        (out / path).unlink(missing_ok=True)
    for folder, files in ((out, sample.logs), (truth, sample.truth)):
        for file in files:
            target = folder / file.path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(file.content)
