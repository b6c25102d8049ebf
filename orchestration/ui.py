"""`throughline ui`: Dagster's user interface with its daemon, ready for this project's warehouse.

Belongs here: what must be in place before `dagster dev` starts. Does not belong here: definitions.
"""

from __future__ import annotations

import os
import signal
import sys

from orchestration import history, home, log_writer
from orchestration.instance import end_dead_runs, open_instance
from orchestration.run import CANNOT_START
from throughline.building import process
from throughline.building.manifest import ensure_manifest
from throughline.building.report import BuildError
from throughline.landing import registry
from throughline.settings import REPOSITORY, SettingError, load_settings


def main(port: int = 3000) -> int:
    """Become `dagster dev`; gives the exit status when it cannot."""
    try:
        settings = load_settings()
        registry.validate(settings)
        ensure_manifest(settings)
    except (SettingError, registry.RegistryError, BuildError) as error:
        print(error, file=sys.stderr)
        return CANNOT_START
    folder = home.prepare(settings)
    # Its daemon writes as long as it is on: whatever ends it, the next run looks.
    for line in history.begin(settings):
        print(line)
    # Before the daemon looks: a run whose process is gone would block its queue.
    with open_instance(settings) as instance:
        for dead in end_dead_runs(settings, instance):
            print(f"Ended run {dead[:8]}, whose process was killed")
    # A shell that starts a command with `&` makes it ignore SIGINT. Dagster copies that to SIGTERM,
    # and then nothing but a kill ends it, which leaves its children behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    # The list of runs: the timeline, on which Dagster opens otherwise, leaves out each run that its
    # own server did not start, and so every `make run`.
    print(f"Dagster comes up at http://127.0.0.1:{port}/runs in about 20 seconds; Ctrl-C ends it.")
    sys.stdout.flush()
    os.chdir(REPOSITORY)
    try:
        log_writer.take_over(settings, "ui")
    except SettingError as error:
        print(error, file=sys.stderr)
        return CANNOT_START
    # `dagster dev` says that `dg dev` is newer; that one wants a project tool beside it.
    command = [sys.executable, "-W", "ignore:Function", "-m", "dagster", "dev"]
    place = [
        "--workspace",
        str(folder / "workspace.yaml"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    os.execve(sys.executable, [*command, *place], process.environment(settings))
