"""`throughline run` and `rebuild`: load, build, check, publish, say what came out.

Belongs here: the order of a run as people see it, and what its failures say. Does not belong here:
any step's own work. Dagster is imported only when there is something to do: a run with nothing new
answers at once.
"""

from __future__ import annotations

import errno
import os
import sys
import tempfile
import time
import traceback
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

import duckdb

from orchestration import alerts, headline, history, interruptions, outcomes
from orchestration.narrator import Narrator
from throughline import engine, landing
from throughline.building import mending, tables, waiting
from throughline.building.report import BuildError
from throughline.engine import locks, remedies
from throughline.landing import arrivals, registry
from throughline.publishing import gate
from throughline.refreshing import selection
from throughline.refreshing.selection import NOTHING, Selection
from throughline.settings import SettingError, Settings, load_settings
from throughline.spark import requirements

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
        for held_back in (sys.stdout, sys.stderr):
            # On a full disk: the terminal comes back all the same, or nobody hears what failed.
            with suppress(OSError):
                held_back.flush()
        os.dup2(terminal, 1)
        os.dup2(errors, 2)
        os.close(terminal)
        os.close(errors)


def refresh(settings: Settings, chosen: Selection) -> None:
    """Run the job on the real instance, so that the user interface shows it later.

    Args:
        settings: where things are.
        chosen: what is built again though nothing new touches it.

    Raises:
        BuildError: dbt cannot read the project.
        RunError: a step or a blocking check failed.
    """
    run_id = str(uuid.uuid4())
    os.environ.update(settings.environment())
    logs = settings.warehouse_dir / "logs"
    log = logs / f"{time.strftime('%Y%m%dT%H%M%S')}-{run_id[:8]}.log"
    with (
        _output_to(log) as terminal,
        history.written(settings) as mended,
        waiting.dbt_waiting(settings, meanwhile=lambda: _start_dagster(settings)),
    ):
        narrator = Narrator(terminal)
        for line in mended:
            narrator.note(line)
        result = _execute(settings, run_id, narrator, chosen)
    locks.release_life(settings, run_id)
    _keep_newest(logs, 20)
    if not result.success:
        published = {event.step_key for event in result.all_events if event.is_step_failure} == {
            COPIES_STEP
        }
        # Without this a run whose last check broke would look up to date to the next one.
        if not published:
            gate.record_failure(settings)
        if any(_was_interrupted(event) for event in result.all_events):
            raise KeyboardInterrupt
        raise RunError(problems(result.all_events), log, published=published)


def _start_dagster(settings: Settings) -> None:
    """All that Dagster does without a manifest: load, and make its history where there is none.

    A new history takes two thirds of a second, one that is there a tenth of that.
    """
    # The module that imports most; what it defines is made later, from the manifest.
    from orchestration.defs import warehouse  # noqa: F401
    from orchestration.instance import open_instance

    open_instance(settings).dispose()


def _execute(
    settings: Settings, run_id: str, narrator: Narrator, chosen: Selection
) -> dg.ExecuteInProcessResult:
    from orchestration.definitions import defs
    from orchestration.instance import (
        end_dead_runs,
        ending_dead_runs,
        forget_old_runs,
        is_busy,
        open_instance,
    )

    locks.claim_life(settings, run_id)
    with open_instance(settings) as instance:
        for dead in end_dead_runs(settings, instance):
            narrator.note(f"Ended run {dead[:8]}, whose process was killed")
        forget_old_runs(settings, instance)
        if is_busy(instance):
            narrator.note("A run started from Dagster is on as well: the steps take turns")
        job = defs().resolve_job_def("refresh" if chosen.is_empty else "replay")
        with ending_dead_runs(settings, instance):
            return job.execute_in_process(
                instance=instance,
                run_id=run_id,
                raise_on_error=False,
                tags=outcomes.BY_COMMAND,
                resources={"narrator": narrator},
                run_config={
                    "loggers": {"console": {"config": {"log_level": "INFO"}}},
                    "ops": {"warehouse": {"config": selection.written(chosen)}},
                },
            )


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
    return rest if rest and name.startswith(("orchestration.", "throughline.")) else message.strip()


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def _keep_newest(folder: Path, number: int) -> None:
    for path in sorted(folder.glob("*.log"))[:-number]:
        path.unlink(missing_ok=True)


def run(
    settings: Settings, *, rebuild: bool, narrator: Narrator, chosen: Selection = NOTHING
) -> None:
    """Everything between the lock and the headline.

    Raises:
        SettingError, RegistryError, LockTimeout, BuildError, RunError: nothing new was published.
    """
    registry.validate(settings)
    requirements.require(settings)
    _try_to_write(settings)
    with locks.held(
        settings,
        "run",
        wait_seconds=WAIT_SECONDS,
        on_wait=lambda: narrator.say("Another run is on; waiting for it to end"),
    ):
        with locks.warehouse(settings, wait_seconds=WAIT_SECONDS):
            _wait_for_file(settings, narrator)
            for line in mending.mend(settings):
                narrator.say(line)
            # Asked first of all: a landing zone that is not there is said before Dagster starts.
            is_waiting = arrivals.anything_new(settings)
            if rebuild:
                dropped = tables.drop_built(settings)
                narrator.say(f"Dropped what was built: {', '.join(dropped) or 'nothing there'}")
            selection.insist(settings, chosen)
            up_to_date = (
                not rebuild
                and chosen.is_empty
                and gate.is_up_to_date(settings, waits=is_waiting, tell=narrator.note)
            )
            emptied = arrivals.emptied(settings)
        if emptied:
            narrator.say(f"Warning: {emptied}")
        if up_to_date:
            narrator.say("Nothing new has landed and nothing has changed since the last run.")
            return
        narrator.say("Starting; the first seconds go into Dagster and dbt")
        refresh(settings, chosen)


def _try_to_write(settings: Settings) -> None:
    """Make the folder of the warehouse, and find out now whether anything can be written there.

    Raises:
        SettingError: the folder is impossible, or nobody may write there.
        OSError: the disk is full, or broken.
    """
    try:
        settings.warehouse_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=settings.warehouse_dir) as file:
            file.write(b"written")
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EIO}:
            raise
        raise SettingError(remedies.unwritable(settings, error)) from error


def _wait_for_file(settings: Settings, narrator: Narrator, seconds: float = 60) -> None:
    """Wait a little for a program outside the pipeline that has a file of the pipeline open."""
    deadline, told = time.monotonic() + seconds, False
    waiting = [settings.warehouse_file, settings.outgoing_file]
    while waiting:
        try:
            if waiting[0].exists():
                with engine.connect(settings, waiting[0]) as connection:
                    if engine.is_cut_off(connection, waiting[0]):
                        raise duckdb.SerializationException("the file is cut off")
            del waiting[0]
        except engine.HeldError as error:
            if time.monotonic() > deadline:
                raise RunError([str(error)]) from error
            if not told:
                narrator.say(f"Waiting for another program to close {waiting[0].name}.\n{error}")
            told = True
            time.sleep(1)
        except duckdb.Error as error:
            if not remedies.is_damage(error):
                raise
            if waiting[0] == settings.warehouse_file:
                raise RunError([f"{remedies.damaged(settings)}\nThe fault: {error}"]) from error
            # What dbt builds is mended by itself.
            del waiting[0]


def main(*, rebuild: bool = False, chosen: Selection = NOTHING) -> int:
    """The command. Gives the exit status.

    Args:
        rebuild: drop everything but the raw tables first.
        chosen: build this again though nothing new touches it.
    """
    interruptions.heed()
    narrator = Narrator()
    began = time.monotonic()
    try:
        settings = load_settings()
    except SettingError as error:
        return _end(CANNOT_START, str(error))
    try:
        run(settings, rebuild=rebuild, narrator=narrator, chosen=chosen)
        outcome = outcomes.record(settings)
        narrator.say("\n" + headline.render(settings))
        narrator.say(f"Done in {time.monotonic() - began:.1f} s.")
        alerts.say(settings, outcome, narrator.say)
    except (SettingError, registry.RegistryError, landing.LandingError) as error:
        return _fail(settings, CANNOT_START, str(error))
    except selection.SelectionError as error:
        # Of the command line, and no failure of the pipeline's.
        return _end(CANNOT_START, str(error))
    except locks.LockTimeout as error:
        return _end(BUSY, str(error))
    except BuildError as error:
        told = "dbt cannot read the project:\n" + _indented(str(error))
        return _fail(settings, FAILED, _with_remedy(settings, told))
    except RunError as error:
        kept = (
            "\nThe new version is published all the same; the next run copies it."
            if error.published
            else "\nThe last published version, if there is one, is untouched."
        )
        details = f"\nThe whole log: {error.details}" if error.details else ""
        hint = "\nThe same in the browser: make ui" if error.details else ""
        told = _with_remedy(settings, "\n".join(error.problems))
        return _fail(settings, FAILED, told + kept + details + hint)
    except KeyboardInterrupt:
        return _end(INTERRUPTED, "Interrupted. The next run takes up where this one stopped.")
    except Exception as error:
        # A fault that nobody foresaw: one line for people, the rest for whoever mends it.
        story = _keep_story(settings, traceback.format_exc())
        told = _with_remedy(settings, f"{type(error).__name__}: {error}")
        return _fail(settings, FAILED, f"{told}\n{story}")
    return SUCCEEDED


def _fail(settings: Settings, status: int, message: str) -> int:
    """End with a failure; `throughline status` tells it later, the ways of the settings now."""
    outcome = outcomes.record(settings, message)
    _end(status, message)
    alerts.say(settings, outcome, Narrator(sys.stderr).say)
    return status


def _with_remedy(settings: Settings, told: str) -> str:
    remedy = remedies.of(settings, told)
    return f"{told}\n{remedy}" if remedy and remedy not in told else told


def _keep_story(settings: Settings, story: str) -> str:
    """Write a traceback where it is looked for, and say where; the story itself where that fails.

    The fault may be that nothing can be written.
    """
    log = settings.warehouse_dir / "logs" / "crash.log"
    try:
        log.parent.mkdir(parents=True, exist_ok=True)
        log.write_text(story, encoding="utf-8")
    except OSError as error:
        return f"The whole story cannot be written to {log} ({error.strerror}):\n{story}"
    return f"The whole story: {log}"


def _end(status: int, message: str) -> int:
    Narrator(sys.stderr).say(f"\n{message}")
    return status
