"""dbt, sqlfluff, `dagster` and `dg` as they are typed: what they need to know, before they start.

Belongs here: the variables that lead such a command, started anywhere in this checkout, to its
project and its warehouse, and the line by which the virtual environment calls this module first.
Does not belong here: what dbt does with the warehouse (bare_dbt), Dagster's folder (home).

None of these commands looks for its project in a folder below, dbt looks for a profile in the
working directory alone, and Dagster forgets its history unless DAGSTER_HOME is there beforehand.
`make setup` writes `throughline.pth` into the virtual environment; Python runs the line in it at
each start, which does nothing but look at the command's name. Variables that are set stay as set.
"""

from __future__ import annotations

import os
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

DBT = frozenset({"dbt", "sqlfluff"})
DAGSTER = frozenset({"dagster", "dagster-daemon", "dagster-graphql", "dagster-webserver", "dg"})
# The options of `dagster` that say where definitions are; without one it is told.
NAMES_CODE = frozenset(
    {"-f", "--python-file", "-m", "--module-name", "--package-name", "-w", "--workspace"}
)
PTH = "throughline.pth"
CANNOT_START = 2
# Of the pipeline's own dbt alone: what is typed writes where dbt writes by default, and where
# editors look, so that neither disturbs what the other has read.
_OF_THE_PIPELINE = ("DBT_TARGET_PATH", "DBT_LOG_PATH")


def command(words: Sequence[str]) -> str:
    """Which command a process was started as, from `sys.orig_argv`; empty when that is not known.

    A script, or a module after `-m`.
    """
    for number, word in enumerate(words[1:], start=1):
        if word == "-m":
            return words[number + 1].split(".")[0] if number + 1 < len(words) else ""
        if word.startswith("-"):
            continue
        return Path(word).name
    return ""


def variables(words: Sequence[str], folder: Path, environ: Mapping[str, str]) -> dict[str, str]:
    """What a command of this checkout lacks in its environment; nothing for any other.

    Args:
        words: the command line with the interpreter, as `sys.orig_argv` has it.
        folder: the working directory.
        environ: what is set.

    Raises:
        SettingError: a setting cannot be used.
    """
    name = command(words)
    if name not in DBT | DAGSTER:
        return {}
    from throughline.settings import REPOSITORY, load_settings

    nearest = next((one for one in (folder, *folder.parents) if _is_project(one)), None)
    if nearest not in (REPOSITORY, REPOSITORY / "dbt_project"):
        return {}
    # The process's own variables count together with what `.env` says.
    settings = load_settings(None if environ is os.environ else environ)
    found = settings.environment()
    for variable in _OF_THE_PIPELINE:
        del found[variable]
    if name in DAGSTER:
        from orchestration import home

        folder = home.prepare(settings)
        # `dg` warns of a virtual environment that is not activated, and of nothing else by it.
        found["VIRTUAL_ENV"] = sys.prefix
        if name == "dagster" and not NAMES_CODE & {word.split("=")[0] for word in words}:
            # The two ways in which its commands are told; one of them at once.
            if "dev" in words:
                found["DAGSTER_CLI_DEV_WORKSPACE"] = str(folder / "workspace.yaml")
            else:
                found["DAGSTER_MODULE_NAME"] = "orchestration.definitions"
                found["DAGSTER_WORKING_DIRECTORY"] = str(REPOSITORY)
    return {key: value for key, value in found.items() if not environ.get(key)}


def _is_project(folder: Path) -> bool:
    return (folder / "dbt_project.yml").exists() or (folder / "pyproject.toml").exists()


def prepare() -> None:
    """Give this process what it lacks. Ends it, with a sentence, where a setting is wrong."""
    from throughline.settings import SettingError

    try:
        os.environ.update(variables(sys.orig_argv, Path.cwd(), os.environ))
    except (SettingError, OSError) as error:
        # Python is still starting: an exception here would be told as a fault of the installation.
        print(error, file=sys.stderr, flush=True)
        os._exit(CANNOT_START)


def hook() -> str:
    """What `throughline.pth` says: where this checkout is, and to ask this module."""
    names = sorted(DBT | DAGSTER)
    line = (
        "import os, sys; any(os.path.basename(word).split('.')[0] in {names} for word in"
        " sys.orig_argv[1:4]) and __import__('orchestration.terminal').terminal.prepare()"
    )
    root = Path(__file__).resolve().parent.parent
    return f"{root}\n{line.replace('{names}', repr(tuple(names)))}\n"


def main() -> None:
    """Write the hook into the virtual environment of this Python."""
    # Not above: the hook imports this module whenever a Python starts.
    from throughline.engine import files

    files.ensure(Path(sysconfig.get_paths()["purelib"]) / PTH, hook())


if __name__ == "__main__":
    main()
