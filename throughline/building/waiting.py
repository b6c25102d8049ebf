"""A dbt that has read the project and waits for a command, while the logs are loaded.

Belongs here: having it wait, and ending it. Does not belong here: its own side (command).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from throughline.building import command, process
from throughline.building.manifest import brought_up_to_date
from throughline.building.report import Report, failure
from throughline.settings import Settings


@contextmanager
def dbt_waiting(settings: Settings, meanwhile: Callable[[], object]) -> Iterator[None]:
    """Bring dbt's manifest up to date, and have a dbt wait with it for the build that comes.

    dbt takes seconds to start and to read the project, of one processor: so it does that while the
    logs are loaded, or, where its manifest is out of date and all wait for it, beside the caller's
    own start. The dbt commands of this process find it by `os.environ`; where it has ended they do
    their work themselves. Call it in the main thread: dbt ends with the thread that started it.

    Args:
        settings: where things are.
        meanwhile: called while dbt reads the project; it needs no manifest.

    Raises:
        BuildError: the project does not parse.
    """
    path = settings.warehouse_dir / "dbt" / "waiting"
    with brought_up_to_date(settings) as is_current:
        # A current manifest is read by others meanwhile, and stays as it is.
        parse = ["--no-write-json", "parse"] if is_current else ["parse"]
        # Whoever hands a command over passes an interruption on as well.
        arguments = ["--wait", str(path), *parse]
        dbt = process.start(settings, arguments, settings.dbt_target_dir, apart=True)
        try:
            meanwhile()
            if not is_current:
                report = Report()
                status = process.follow(dbt, report.take, until=command.READY)
                if status is not None:
                    raise failure(settings, report, status)
        except BaseException:
            process.end(dbt)
            raise
    # What it says from now on goes to whoever hands over a command.
    assert dbt.stdout is not None
    threading.Thread(target=dbt.stdout.read, daemon=True).start()
    os.environ[command.WAITING] = str(path)
    process.waiting = dbt
    try:
        yield
    finally:
        process.waiting = None
        del os.environ[command.WAITING]
        process.end(dbt)
        path.unlink(missing_ok=True)
