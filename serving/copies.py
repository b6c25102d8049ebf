"""`python -m serving.copies`: the reports and the log as files beside the published version.

Belongs here: making the copies, whole or not at all, and dropping those of former versions. Does
not belong here: where they are (throughline.published.copies), what is in one (reports, export),
when they are made: an asset of the pipeline runs this command, for the first version of a day, and
anybody may, for whichever is current.

The command says what it does in lines of JSON: `{"now": "exporting contacts.csv"}` as it goes on,
at the end `{"data_version": …, "files": […], "bytes": …}`, or `{"failed": "why"}` and status 1.
With `--while-asked` it ends, as for an interruption, when its standard input does: whoever started
it and was killed leaves nothing behind that writes.
"""

from __future__ import annotations

import argparse
import json
import os
import secrets
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from serving.export.files import ExportFailedError, write_file
from serving.export.log import tables
from serving.filters import Filter
from serving.reports import copies
from serving.snapshot import Snapshots
from throughline.engine import locks
from throughline.engine.files import discard, move, remove, replace_with_symlink, sync
from throughline.published import manifest as versions
from throughline.published.copies import EXPORTS, LATEST, REPORTS, wanted
from throughline.published.manifest import Publication, PublishError
from throughline.settings import SettingError, Settings, load_serving_settings, load_settings

FORMATS = ("csv", "parquet")
GRAINS = ("conversation", "contact")
_WORK_PREFIX = ".copying-"
_WAIT_SECONDS = 3600

Progress = Callable[[str], None]
Maker = Callable[[Settings, Publication, Path, Progress], None]


class CopyError(RuntimeError):
    """The copies could not be written; the published version stands without them."""


@dataclass(frozen=True)
class Copies:
    """What a call wrote.

    Attributes:
        data_version: the version that the copies are of.
        files: paths relative to `published/`; none when all were there already.
        bytes: their size.
    """

    data_version: str
    files: tuple[str, ...]
    bytes: int


def write(settings: Settings, *, progress: Progress | None = None) -> Copies:
    """Write the copies of the current version that are missing; drop those of former versions.

    Args:
        settings: where things are, and whether the log is exported.
        progress: called with a short line of text as the work goes on.

    Raises:
        CopyError: nothing is published yet.
        locks.LockTimeout: another process took too long over the same.
        Exception: a copy could not be made. What was whole before stays as it was.
    """
    tell = progress or (lambda text: None)
    published = settings.published_dir
    with locks.held(settings, "copies", wait_seconds=_WAIT_SECONDS):
        for left_behind in published.glob(f"{_WORK_PREFIX}*"):
            remove(left_behind)
        current = versions.current(settings)
        if current is None:
            raise CopyError("Nothing is published yet, so there is nothing to copy.")
        if not (published / current.database).is_file():
            raise CopyError(
                f"{published / current.database} is missing, so there is nothing to copy:"
                " `make run` writes it again."
            )
        written: list[Path] = []
        makers: Mapping[str, Maker] = {REPORTS: _write_reports, EXPORTS: _write_exports}
        for kind in wanted(settings):
            target = kind / current.data_version
            if not target.is_dir():
                written += _make(settings, current, target, makers[kind.name], tell)
            _point(kind / LATEST, current.data_version)
        _prune(settings)
    return Copies(
        current.data_version,
        tuple(str(path.relative_to(published)) for path in written),
        sum(path.stat().st_size for path in written),
    )


def _make(
    settings: Settings, current: Publication, target: Path, maker: Maker, tell: Progress
) -> list[Path]:
    """A whole folder under its name, or nothing."""
    work = settings.published_dir / f"{_WORK_PREFIX}{os.getpid()}-{secrets.token_hex(4)}"
    work.mkdir()
    try:
        maker(settings, current, work, tell)
        files = sorted(path for path in work.iterdir() if path.is_file())
        for file in files:
            file.chmod(0o444)
            sync(file)
        # By its time the next run knows whether a copy of the day is there.
        published_at = current.published_at.timestamp()
        os.utime(work, (published_at, published_at))
        sync(work)
        move(work, target)
        return [target / file.name for file in files]
    finally:
        remove(work)


def _write_reports(settings: Settings, current: Publication, folder: Path, tell: Progress) -> None:
    serving = load_serving_settings({**os.environ, **settings.environment()})
    serving = serving.replaced(spill_dir=settings.scratch_dir / "copies")
    snapshot = Snapshots(serving).current()
    if snapshot.version != current.data_version:
        raise CopyError("Another version was published meanwhile: the run that did so copies it.")
    for name, text in copies.copies(snapshot):
        tell(f"copying {name}")
        (folder / name).write_text(text, encoding="utf-8")


def _write_exports(settings: Settings, current: Publication, folder: Path, tell: Progress) -> None:
    database = settings.published_dir / current.database
    for grain in GRAINS:
        wanted = tables(Filter(), grain, in_order=current.is_in_order)
        for format_name in FORMATS:
            name = f"{grain}s.{format_name}"
            tell(f"exporting {name}")
            write_file(database, wanted, format_name, folder / name)


def _point(link: Path, version: str) -> None:
    """Make the link lead to the version, atomically; nothing when it does already."""
    if not link.is_symlink() or link.readlink() != Path(version):
        replace_with_symlink(version, link)


def _prune(settings: Settings) -> None:
    """Drop the copies of versions that are not there any more, the newest excepted."""
    published = settings.published_dir
    if not settings.scheduled_exports:
        # What is there stays as long as its version; the latest it is no more.
        (published / EXPORTS / LATEST).unlink(missing_ok=True)
    versions_there = {path.name for path in (published / "versions").glob("*")}
    for kind in (published / REPORTS, published / EXPORTS):
        newest = kind / LATEST
        kept = versions_there | {LATEST}
        if newest.is_symlink():
            kept.add(newest.readlink().name)
        for path in sorted(kind.iterdir()) if kind.is_dir() else []:
            if path.name not in kept:
                discard(path, aside=published / f"{_WORK_PREFIX}{secrets.token_hex(4)}")


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Gives 0 when the copies are there, else 1; 130 for an interruption."""
    parser = argparse.ArgumentParser(
        prog="python -m serving.copies",
        description="Write the reports and the log of the published version as files.",
    )
    parser.add_argument(
        "--while-asked", action="store_true", help="end when standard input does, as a child does"
    )
    options = parser.parse_args(arguments)
    # Copies that are stopped clean up behind them, whoever stops them.
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    if options.while_asked:
        threading.Thread(target=_end_with_caller, daemon=True).start()
    try:
        done = write(load_settings(), progress=lambda line: _say({"now": line}))
    except KeyboardInterrupt:
        return 130
    except (CopyError, PublishError, ExportFailedError, SettingError, locks.LockTimeout) as error:
        _say({"failed": str(error)})
        return 1
    except Exception as error:
        # A fault that nobody foresaw: one line for people, the rest for whoever mends it.
        traceback.print_exc()
        _say({"failed": f"{type(error).__name__}: {error}"})
        return 1
    _say(asdict(done))
    return 0


def _say(content: Mapping[str, Any]) -> None:
    print(json.dumps(content), flush=True)


def _end_with_caller() -> None:
    # Nothing comes: what ends is the other side.
    os.read(0, 1)
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    sys.exit(main())
