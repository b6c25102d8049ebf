"""The command `python -m seeds.generator`: reads the arguments, runs one of the two modes.

Belongs here: arguments and what is printed. Does not belong here: making anything.
"""

from __future__ import annotations

import argparse
import datetime as dt
import os
import re
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from seeds.generator import __doc__ as description
from seeds.generator.sample import SampleError, make_sample, truth_dir_of, write_sample
from seeds.generator.stories import Period
from seeds.generator.volume import SHAPES, Volume, VolumeError, write_volume

SEED = 2026
CONVERSATIONS = 2_000
DAYS = 60
# Sixty days from here hold the clock changes of Auckland, Paris and New York.
FIRST_DAY = dt.date(2026, 9, 15)
SAMPLE_DIR = Path(__file__).resolve().parent.parent / "sample_logs"


def committed_sample_period() -> Period:
    """What the committed sample covers."""
    return Period(FIRST_DAY, DAYS)


def _at_least(lowest: int) -> type[int]:
    """A parser of whole numbers, such as 2000 or 10_000_000, that are not below `lowest`."""

    def parse(text: str) -> int:
        try:
            value = int(text.replace(",", "_"))
        except ValueError:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number") from None
        if value < lowest:
            raise argparse.ArgumentTypeError(f"{text} is too small: at least {lowest}")
        return value

    return parse  # type: ignore[return-value]


def _day(text: str) -> dt.date:
    try:
        return dt.date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a day such as 2026-09-15") from None


def _source_name(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9_]+", text):
        raise argparse.ArgumentTypeError(f"{text!r}: use a-z, 0-9 and _ only")
    return text


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m seeds.generator",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="the landing zone to write (default: the committed sample, seeds/sample_logs)",
    )
    parser.add_argument(
        "--truth", type=Path, metavar="DIR", help="where the truth goes (default: beside --out)"
    )
    parser.add_argument("--seed", type=int, default=SEED, help="any whole number (%(default)s)")
    parser.add_argument(
        "--days", type=_at_least(1), default=DAYS, help="days that the logs cover (%(default)s)"
    )
    parser.add_argument(
        "--first-day", type=_day, default=FIRST_DAY, metavar="DAY", help="first day (%(default)s)"
    )
    sample = parser.add_argument_group("the sample")
    sample.add_argument(
        "--conversations",
        type=_at_least(1),
        metavar="N",
        help=f"conversations over all three sources ({CONVERSATIONS:,})",
    )
    sample.add_argument(
        "--with-bad-rows",
        action="store_true",
        help="add four rows that the landing step has to reject",
    )
    volume = parser.add_argument_group("volume mode (needs --out)")
    volume.add_argument(
        "--contacts", type=_at_least(2), metavar="N", help="contacts to make, as Parquet"
    )
    volume.add_argument(
        "--messages-per-contact",
        type=_at_least(0),
        metavar="N",
        help="messages of each contact (0: no messages log)",
    )
    volume.add_argument(
        "--shape", choices=SHAPES, help="link all contacts into one conversation of this shape"
    )
    volume.add_argument(
        "--source", type=_source_name, metavar="NAME", help="the source's folder (volume)"
    )
    volume.add_argument(
        "--threads", type=_at_least(1), metavar="N", help="DuckDB's threads (all processors)"
    )
    return parser


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def _check(parser: argparse.ArgumentParser, options: argparse.Namespace) -> None:
    """Refuse combinations that cannot mean anything."""
    volume_only = {
        "--messages-per-contact": options.messages_per_contact,
        "--shape": options.shape,
        "--source": options.source,
        "--threads": options.threads,
    }
    if options.contacts is None:
        for name, value in volume_only.items():
            if value is not None:
                parser.error(f"{name} belongs to volume mode: add --contacts")
        departs = options.conversations or options.with_bad_rows or options.truth
        departs = departs or (options.seed, options.days, options.first_day) != (
            SEED,
            DAYS,
            FIRST_DAY,
        )
        if departs and options.out is None:
            parser.error("give --out: without it only the committed sample is written")
        return
    if options.out is None:
        parser.error("volume mode needs --out")
    if options.conversations or options.with_bad_rows:
        parser.error("--conversations and --with-bad-rows belong to the sample, not to --contacts")
    if options.shape and options.messages_per_contact:
        parser.error("--shape makes no messages: leave --messages-per-contact out")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command.

    Args:
        arguments: without the program's name; the process's own when not given.

    Returns:
        The exit status: 0, or 1 when something is in the way.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    _check(parser, options)
    period = Period(options.first_day, options.days)
    out = options.out or SAMPLE_DIR
    truth = options.truth or truth_dir_of(out)
    began = time.monotonic()
    try:
        if options.contacts is None:
            conversations = options.conversations or CONVERSATIONS
            _say(f"making {conversations:,} conversations over {period.days} days …")
            sample = make_sample(conversations, period, options.seed, options.with_bad_rows)
            write_sample(sample, out, truth)
            size = sum(len(file.content) for file in sample.logs)
            made = f"{len(sample.logs)} files, {size / 1e6:.1f} MB"
        else:
            volume = Volume(
                contacts=options.contacts,
                messages_per_contact=options.messages_per_contact or 0,
                period=period,
                seed=options.seed,
                shape=options.shape,
                source=options.source or "volume",
                threads=options.threads or os.cpu_count() or 1,
            )
            counts = write_volume(volume, out, truth, _say)
            made = ", ".join(
                f"{value:,} {name.replace('_', ' ')}" for name, value in counts.items()
            )
    except (SampleError, VolumeError, OSError) as problem:
        _say(f"error: {problem}")
        return 1
    print(f"{made} in {time.monotonic() - began:.1f} s")
    print(f"logs:  {out}\ntruth: {truth}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
