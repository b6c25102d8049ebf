"""`throughline mf query …`: MetricFlow's command line, `mf`, on what is published.

Belongs here: giving `mf` the project, the profile and the semantic manifest that it looks for.
Does not belong here: what a metric means (dbt_project/models/marts), figures of any kind.

`mf` alone finds neither: it reads `target/semantic_manifest.json` below the working directory,
wherever dbt was told to write, and would open the warehouse file, which only the pipeline may. So
it gets a project folder of its own, in which the published snapshot is attached read-only under
the name of the file that it was copied from: it never blocks a run, and a run never blocks it.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from throughline.building.manifest import ensure_manifest
from throughline.building.report import BuildError
from throughline.engine import files
from throughline.settings import SettingError, Settings, load_settings


class NothingPublishedError(RuntimeError):
    """There is no published snapshot to ask; the message says how to get one."""


def project_dir(settings: Settings) -> Path:
    """The folder that `mf` takes for its dbt project."""
    return settings.warehouse_dir / "dbt" / "mf"


def prepare(settings: Settings) -> Path:
    """Write what `mf` reads, from the manifest as it is now.

    Args:
        settings: where everything is.

    Returns:
        The folder to run `mf` in.

    Raises:
        NothingPublishedError: no run has published yet.
        BuildError: the dbt project does not parse.
    """
    if not settings.published_file.exists():
        raise NothingPublishedError(
            f"nothing is published in {settings.published_dir}: run `make run` first"
        )
    manifest = ensure_manifest(settings).with_name("semantic_manifest.json")
    folder = project_dir(settings)
    # JSON is YAML: no path needs quoting of its own.
    files.ensure(folder / "dbt_project.yml", json.dumps(_project()))
    files.ensure(folder / "profiles.yml", json.dumps(_profile(settings)))
    files.ensure(folder / "target" / "semantic_manifest.json", manifest.read_bytes())
    return folder


def environment(settings: Settings) -> dict[str, str]:
    """The variables that lead MetricFlow to the prepared folder: merge them over `os.environ`."""
    folder = project_dir(settings)
    return {
        **settings.environment(),
        "DBT_PROJECT_DIR": str(folder),
        "DBT_PROFILES_DIR": str(folder),
        "DBT_TARGET_PATH": str(folder / "target"),
        "DBT_LOG_PATH": str(folder / "logs"),
    }


def run(
    settings: Settings, arguments: Sequence[str], *, environ: Mapping[str, str] | None = None
) -> int:
    """Run `mf` with the given arguments and give its exit status.

    Args:
        settings: where everything is.
        arguments: as `mf` takes them, for example `["query", "--metrics", "transfer_rate"]`; the
            file named by `--csv` is relative to the caller's working directory.
        environ: the variables to start from; the process's own when not given.
    """
    folder = prepare(settings)
    base = os.environ if environ is None else environ
    command = Path(sys.executable).with_name("mf")
    found = str(command) if command.exists() else shutil.which("mf")
    if found is None:
        raise FileNotFoundError("the mf command is not installed: run `make setup`")
    finished = subprocess.run(
        [found, *_with_absolute_output(arguments)],
        cwd=folder,
        env={**base, **environment(settings)},
        check=False,
    )
    return finished.returncode


def _project() -> dict[str, object]:
    return {
        "name": "throughline",
        "profile": "throughline",
        "flags": {"send_anonymous_usage_stats": False, "use_colors": False},
    }


def _profile(settings: Settings) -> dict[str, object]:
    snapshot = {
        "path": str(settings.published_file),
        # The semantic manifest names the tables by the file that dbt builds them in.
        "alias": settings.outgoing_file.stem,
        "read_only": True,
    }
    output = {
        "type": "duckdb",
        "path": ":memory:",
        "schema": "main",
        "threads": 1,
        "attach": [snapshot],
        "config_options": {
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        },
        "settings": {"TimeZone": "UTC", "memory_limit": settings.duckdb_memory_limit},
    }
    return {"throughline": {"target": "published", "outputs": {"published": output}}}


def _with_absolute_output(arguments: Sequence[str]) -> list[str]:
    """The arguments, with the path of `--csv` made independent of the working directory."""
    result = list(arguments)
    for position, argument in enumerate(result):
        if argument == "--csv" and position + 1 < len(result):
            result[position + 1] = str(Path(result[position + 1]).absolute())
        elif argument.startswith("--csv="):
            result[position] = f"--csv={Path(argument.removeprefix('--csv=')).absolute()}"
    return result


def main(arguments: Sequence[str]) -> int:
    """Run `mf` with these arguments. Gives its exit status."""
    try:
        return run(load_settings(), arguments)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    except (NothingPublishedError, BuildError, FileNotFoundError) as error:
        print(error, file=sys.stderr)
        return 1
