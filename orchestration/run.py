"""`make run` and `make rebuild`: load, build, check, publish, say what came out.

Belongs here: the order of a run as people see it, and what its failures say. Does not belong here:
any step's own work. Dagster is imported only when there is something to do: a run with nothing new
answers at once.
"""

from __future__ import annotations

import argparse
import importlib
import os
import sys
import threading
import time
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import duckdb

from orchestration import (
    arrivals,
    copies,
    headline,
    landing,
    locks,
    publishing,
    registry,
    state,
    transform,
)
from orchestration.narrator import Narrator
from orchestration.settings import SettingError, Settings, load_settings

if TYPE_CHECKING:
    import dagster as dg

SUCCEEDED, FAILED, CANNOT_START, BUSY, INTERRUPTED = 0, 1, 2, 75, 130
WAIT_SECONDS = 1800
# The step that nothing waits for.
COPIES_STEP = "published__copies"


class RunError(RuntimeError):
    """A step of the run failed. `problems` says what went wrong, one block each.

    `published` says whether all but the copies of the published version went well.
    """

    def __init__(
        self, problems: Sequence[str], details: Path | None = None, *, published: bool = False
    ) -> None:
        self.problems = list(problems)
        self.details = details
        self.published = published
        super().__init__("\n".join(self.problems))


def is_up_to_date(settings: Settings, *, waits: bool) -> bool:
    """Whether a run would change nothing: same code, registry and settings, no new file.

    Call it under the warehouse lock. `waits` says whether a file waits to be loaded.
    """
    built = state.read(settings)
    return (
        not waits
        and built is not None
        and built.status == "passed"
        and built.published
        and publishing.current(settings) is not None
        and copies.are_whole(settings)
        and built.fingerprint == registry.fingerprint(settings)
        and built.last_load_no == transform.last_load_no(settings)
    )


@contextmanager
def _output_to(log: Path) -> Iterator[TextIO]:
    """Send what the process and its children print to a file; give the terminal for progress."""
    log.parent.mkdir(parents=True, exist_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    terminal, errors = os.dup(1), os.dup(2)
    sink = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o644)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    os.close(sink)
    try:
        with os.fdopen(os.dup(terminal), "w", encoding="utf-8") as stream:
            yield stream
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os.dup2(terminal, 1)
        os.dup2(errors, 2)
        os.close(terminal)
        os.close(errors)


def refresh(settings: Settings) -> None:
    """Run the job on the real instance, so that the user interface shows it later.

    Raises:
        RunError: a step or a blocking check failed.
    """
    run_id = str(uuid.uuid4())
    os.environ.update(settings.environment())
    logs = settings.warehouse_dir / "logs"
    log = logs / f"{time.strftime('%Y%m%dT%H%M%S')}-{run_id[:8]}.log"
    locks.claim_life(settings, run_id)
    with _output_to(log) as terminal:
        narrator = Narrator(terminal)
        from orchestration.definitions import defs
        from orchestration.instance import end_dead_runs, is_busy, open_instance

        with open_instance(settings) as instance:
            for dead in end_dead_runs(settings, instance):
                narrator.note(f"Ended run {dead[:8]}, whose process was killed")
            if is_busy(instance):
                narrator.note("A run started from Dagster is on as well: the steps take turns")
            result = (
                defs()
                .resolve_job_def("refresh")
                .execute_in_process(
                    instance=instance,
                    run_id=run_id,
                    raise_on_error=False,
                    tags={"throughline/started_by": "make run"},
                    resources={"narrator": narrator},
                    run_config={"loggers": {"console": {"config": {"log_level": "INFO"}}}},
                )
            )
    locks.release_life(settings, run_id)
    _keep_newest(logs, 20)
    if not result.success:
        published = {event.step_key for event in result.all_events if event.is_step_failure} == {
            COPIES_STEP
        }
        # Without this a run whose last check broke would look up to date to the next one.
        if not published and (built := state.read(settings)) is not None:
            state.write(settings, replace(built, published=False))
        if any(_was_interrupted(event) for event in result.all_events):
            raise KeyboardInterrupt
        raise RunError(problems(result.all_events), log, published=published)


def problems(events: Sequence[dg.DagsterEvent]) -> list[str]:
    """What went wrong in a run, for people: failed steps first, then blocking checks."""
    found = []
    for event in events:
        if event.is_step_failure:
            data = event.step_failure_data
            failure = data.user_failure_data
            if failure is not None and failure.description:
                text = failure.description
            elif data.error is not None:
                text = _message((data.error.cause or data.error).message)
            else:
                text = "no message"
            found.append(f"Step {event.step_key} failed:\n{_indented(text)}")
    return found or [
        f"{event.event_type_value}: {event.message}" for event in events if event.is_failure
    ]


def _was_interrupted(event: dg.DagsterEvent) -> bool:
    error = event.step_failure_data.error if event.is_step_failure else None
    return error is not None and error.cls_name == "DagsterExecutionInterruptedError"


def _message(message: str) -> str:
    """What an exception says; ours are written for people, so without the name of their class."""
    name, _, rest = message.strip().partition(": ")
    return rest if rest and name.startswith("orchestration.") else message.strip()


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _keep_newest(folder: Path, number: int) -> None:
    for path in sorted(folder.glob("*.log"))[:-number]:
        path.unlink(missing_ok=True)


def run(settings: Settings, *, rebuild: bool, narrator: Narrator) -> None:
    """Everything between the lock and the headline.

    Raises:
        RegistryError, LockTimeout, BuildError, RunError: nothing new was published.
    """
    registry.validate(settings)
    settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
    with locks.held(
        settings,
        "run",
        wait_seconds=WAIT_SECONDS,
        on_wait=lambda: narrator.say("Another run is on; waiting for it to end"),
    ):
        with locks.warehouse(settings, wait_seconds=WAIT_SECONDS):
            _wait_for_file(settings, narrator)
            # Asked first of all: a landing zone that is not there is said before Dagster starts.
            is_waiting = arrivals.anything_new(settings)
            if rebuild:
                dropped = transform.drop_built(settings)
                narrator.say(f"Dropped what was built: {', '.join(dropped) or 'nothing there'}")
            up_to_date = not rebuild and is_up_to_date(settings, waits=is_waiting)
        if up_to_date:
            narrator.say("Nothing new has landed and nothing has changed since the last run.")
            return
        narrator.say("Starting; the first seconds go into Dagster and dbt")
        # dbt reads the project in a process of its own; loading Dagster meanwhile saves its time.
        loading = threading.Thread(target=_load_dagster)
        loading.start()
        with transform.dbt_waiting(settings):
            loading.join()
            refresh(settings)


def _load_dagster() -> None:
    for module in ("dagster_dbt", "orchestration.definitions", "orchestration.instance"):
        importlib.import_module(module)


def _wait_for_file(settings: Settings, narrator: Narrator, seconds: float = 60) -> None:
    """Wait a little for a program outside the pipeline that has a file of the pipeline open."""
    deadline, told = time.monotonic() + seconds, False
    waiting = [settings.warehouse_file, settings.outgoing_file]
    while waiting:
        try:
            if waiting[0].exists():
                duckdb.connect(str(waiting[0])).close()
            del waiting[0]
        except duckdb.IOException as error:
            if "Could not set lock on file" not in str(error):
                raise
            holder = str(error).split("Conflicting lock is held in ")[-1].split(". See also")[0]
            if time.monotonic() > deadline:
                raise RunError(
                    [
                        f"Another program has {waiting[0]} open: {holder}.\n"
                        "    Close it there, and point it to the published file instead:"
                        f" {settings.published_file}"
                    ]
                ) from error
            if not told:
                narrator.say(f"Waiting for another program to close {waiting[0].name}: {holder}")
            told = True
            time.sleep(1)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command. Gives the exit status."""
    parser = argparse.ArgumentParser(prog="make run", description=__doc__)
    parser.add_argument(
        "--rebuild", action="store_true", help="drop everything but the raw tables first"
    )
    options = parser.parse_args(arguments)
    narrator = Narrator()
    began = time.monotonic()
    try:
        settings = load_settings()
    except SettingError as error:
        return _end(CANNOT_START, str(error))
    try:
        run(settings, rebuild=options.rebuild, narrator=narrator)
        narrator.say("\n" + headline.render(settings))
        narrator.say(f"Done in {time.monotonic() - began:.1f} s.")
    except (registry.RegistryError, landing.LandingError) as error:
        return _end(CANNOT_START, str(error))
    except locks.LockTimeout as error:
        return _end(BUSY, str(error))
    except transform.BuildError as error:
        return _end(FAILED, "dbt cannot read the project:\n" + _indented(str(error)))
    except RunError as error:
        kept = (
            "\nThe new version is published all the same; the next run copies it."
            if error.published
            else "\nThe last published version, if there is one, is untouched."
        )
        details = f"\nThe whole log: {error.details}" if error.details else ""
        hint = "\nThe same in the browser: make ui" if error.details else ""
        return _end(FAILED, "\n".join(error.problems) + kept + details + hint)
    except KeyboardInterrupt:
        return _end(INTERRUPTED, "Interrupted. The next run takes up where this one stopped.")
    except Exception as error:
        # A fault that nobody foresaw: one line for people, the rest for whoever mends it.
        log = settings.warehouse_dir / "logs" / "crash.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(traceback.format_exc(), encoding="utf-8")
        return _end(FAILED, f"{type(error).__name__}: {error}\nThe whole story: {log}")
    return SUCCEEDED


def _end(status: int, message: str) -> int:
    print(f"\n{message}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main())
