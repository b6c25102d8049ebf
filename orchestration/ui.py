"""`make ui`: Dagster's user interface with its daemon, ready for this project's warehouse.

Belongs here: what must be in place before `dagster dev` starts. Does not belong here: definitions.
"""

from __future__ import annotations

import argparse
import os
import signal
import sys

from orchestration import registry, transform
from orchestration.instance import prepare_home
from orchestration.settings import REPOSITORY, SettingError, load_settings


def main() -> None:
    """Become `dagster dev`."""
    parser = argparse.ArgumentParser(prog="make ui", description=__doc__)
    parser.add_argument("--port", type=int, default=3000)
    port = parser.parse_args().port
    try:
        settings = load_settings()
        registry.validate(settings)
        transform.ensure_manifest(settings)
    except (SettingError, registry.RegistryError, transform.BuildError) as error:
        sys.exit(str(error))
    home = prepare_home(settings)
    # A shell that starts a command with `&` makes it ignore SIGINT. Dagster copies that to SIGTERM,
    # and then nothing but a kill ends it, which leaves its children behind.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)
    print(f"Dagster comes up at http://127.0.0.1:{port} in about 20 seconds; Ctrl-C ends it.")
    sys.stdout.flush()
    os.chdir(REPOSITORY)
    # `dagster dev` says that `dg dev` is newer; that one wants a project tool beside it.
    command = [sys.executable, "-W", "ignore:Function", "-m", "dagster", "dev"]
    place = [
        "--workspace",
        str(home / "workspace.yaml"),
        "--host",
        "127.0.0.1",
        "--port",
        str(port),
    ]
    os.execve(sys.executable, [*command, *place], transform.environment(settings))


if __name__ == "__main__":
    main()
