"""`throughline`: the one command, and what its subcommands are called.

Belongs here: names, options and help. Does not belong here: what a command does. Each imports what
it needs when it is called: `throughline --help` must not wait for Dagster, dbt or DuckDB.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer

from throughline.settings import REPOSITORY, SettingError, Settings, load_settings

# The exit statuses of every command; the README and `--help` say them in words.
SUCCEEDED, FAILED, CANNOT_START = 0, 1, 2
STATUSES = """\
Exit status: 0 all went well, or there was nothing to do; 1 a step, a check or a file failed; 2 a
setting, the registry or the command line cannot be used; 75 another run did not end in time; 130
interrupted. `make` gives 2 for every one of them but 0."""

app = typer.Typer(
    name="throughline",
    help="One conversation, many contacts: loads the logs, builds both reports, publishes them.",
    epilog=STATUSES,
    no_args_is_help=True,
    add_completion=False,
    # Plain text: it is quicker, and the same in every terminal and log.
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
# The command behind has options, and help, of its own.
_PASSED_ON = {
    "allow_extra_args": True,
    "ignore_unknown_options": True,
    "help_option_names": [],
}


_Engine = Annotated[
    str, typer.Option(help="What builds the models, duckdb or spark, whatever ENGINE says.")
]


def _choose(engine: str) -> None:
    if engine:
        os.environ["ENGINE"] = engine


@app.command()
def run(
    dry_run: Annotated[
        bool,
        typer.Option("--dry-run", help="Publish nothing; say which figures would change."),
    ] = False,
    engine: _Engine = "",
) -> None:
    """Load what is new, build, check, publish.

    Ends with both reports side by side. A run with nothing new ends within seconds. A dry run
    builds beside what stands: also to see what a changed registry or definition would do.
    """
    _choose(engine)
    if dry_run:
        from orchestration import rehearsals

        raise typer.Exit(rehearsals.rehearse())
    from orchestration import run as runs

    raise typer.Exit(runs.main())


@app.command()
def rebuild(engine: _Engine = "") -> None:
    """Drop everything but the raw tables, and run."""
    _choose(engine)
    from orchestration import run as runs

    raise typer.Exit(runs.main(rebuild=True))


@app.command()
def replay(
    source: Annotated[str, typer.Option(help="Of this source.")] = "",
    first: Annotated[
        str, typer.Option("--from", metavar="DAY", help="With a contact on this day or later.")
    ] = "",
    last: Annotated[
        str, typer.Option("--to", metavar="DAY", help="With a contact on this day or before.")
    ] = "",
    conversation: Annotated[
        str, typer.Option(metavar="ID", help="The one to which this id leads.")
    ] = "",
) -> None:
    """Build conversations again from the raw logs.

    Of a source, of a period (days as 2026-03-01, in UTC), or one; whatever hangs together with
    them is built again too, and new files are loaded as by run.
    """
    from orchestration import run as runs
    from throughline.refreshing import selection

    _settings()
    texts = {"source": source, "first": first, "last": last, "conversation": conversation}
    try:
        chosen = selection.read(texts)
    except selection.SelectionError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(CANNOT_START) from None
    if chosen.is_empty:
        typer.echo("Say what to replay: --source, --from and --to, or --conversation", err=True)
        raise typer.Exit(CANNOT_START)
    raise typer.Exit(runs.main(chosen=chosen))


@app.command()
def status(
    as_json: Annotated[bool, typer.Option("--json", help="The same, for programs.")] = False,
) -> None:
    """Say how things stand, and what to do.

    The last good version and its age, what waits to be loaded, the last failure and its remedy,
    rejected rows, warnings, disk. Works while a run is on, and never gets in its way. Exit
    status: 0 nothing needs attention, 1 something does, 2 a setting cannot be used.
    """
    from orchestration import status as statuses

    found = statuses.look(_settings())
    typer.echo(statuses.as_json(found) if as_json else statuses.render(found))
    raise typer.Exit(FAILED if found.attention else SUCCEEDED)


@app.command()
def verify(
    sample: Annotated[
        int | None, typer.Option(help="Rebuild so many conversations, and compare.", min=1)
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Rebuild every conversation, and compare.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option(help="Of the choice: the same ones once more.")
    ] = None,
) -> None:
    """Compare files with checksums, or marts with a rebuild.

    Without an option every published file is compared with its checksum. With one, conversations
    are built a second time beside the marts, and what differs is named: model, key, column, both
    values. Nothing is written but what is built for it, readers go on, and a run waits.
    """
    if sample is not None or everything:
        from orchestration import comparisons

        raise typer.Exit(comparisons.compare(None if everything else sample, seed))
    from throughline.publishing import verification

    raise typer.Exit(verification.main())


@app.command()
def backup(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="Where backups are kept, each in a folder.")
    ],
) -> None:
    """Back up all that cannot be made again.

    The raw tables, the published versions with their ids, the registry, the hashed keys. What did
    not change is shared with the backup before. Readers go on; a run waits. Not in it: .env and
    the environment, files of the landing zone, Dagster's history.
    """
    from orchestration import backups

    raise typer.Exit(backups.back_up(folder))


@app.command()
def restore(
    folder: Annotated[
        str, typer.Argument(metavar="DIR", help="A backup, or the folder of several: the newest.")
    ],
    check: Annotated[bool, typer.Option("--check", help="Read the backup and do no more.")] = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Move aside what is there; without it, refuse.")
    ] = False,
) -> None:
    """Bring a backup back.

    Every file of it is compared with its checksum before anything is touched. The next run builds
    again what is built, with the same ids.
    """
    from orchestration import backups

    raise typer.Exit(backups.restore(folder, check=check, replace=replace))


@app.command("check-files", context_settings=_PASSED_ON)
def check_files(context: typer.Context) -> None:
    """Check log files before they are loaded."""
    from orchestration import check_files as checking

    raise typer.Exit(checking.main(context.args))


@app.command()
def settings() -> None:
    """Show every setting and where it comes from.

    With what it means and takes. Secrets are hidden.
    """
    from orchestration import settings_page
    from throughline.settings import declarations

    _settings()
    typer.echo("\n".join(settings_page.lines(declarations())))


@app.command()
def ui(
    port: Annotated[int, typer.Option(help="Where it listens on 127.0.0.1.")] = 3000,
) -> None:
    """Dagster in the browser, with its daemon.

    Runs, assets, checks; the schedule and the sensor act while it is on.
    """
    from orchestration import ui as interface

    raise typer.Exit(interface.main(port))


@app.command(context_settings=_PASSED_ON)
def serve(context: typer.Context) -> None:
    """Serve the pages and the REST resource."""
    _become_module("serving", context.args)


@app.command(context_settings=_PASSED_ON)
def keys(context: typer.Context) -> None:
    """Make, list and remove the keys of the server."""
    _become_module("serving.keys", context.args)


@app.command(context_settings=_PASSED_ON)
def dbt(context: typer.Context) -> None:
    """Run dbt on this project, from any folder."""
    from orchestration import terminal

    project = _settings().dbt_project_dir
    os.environ.update(terminal.variables([sys.executable, "dbt"], project, os.environ))
    os.chdir(project)
    _become([str(Path(sys.executable).with_name("dbt")), *context.args])


@app.command(context_settings=_PASSED_ON)
def mf(context: typer.Context) -> None:
    """Ask MetricFlow about what is published."""
    from orchestration import mf as metricflow

    raise typer.Exit(metricflow.main(context.args))


def _settings() -> Settings:
    """Read the settings, or end with a sentence."""
    try:
        return load_settings()
    except SettingError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(CANNOT_START) from None


def _become_module(name: str, arguments: list[str]) -> NoReturn:
    """Become a command of a room that this one may not import; this checkout's, typed anywhere."""
    path = filter(None, (str(REPOSITORY), os.environ.get("PYTHONPATH")))
    os.environ["PYTHONPATH"] = os.pathsep.join(path)
    _become([sys.executable, "-P", "-m", name, *arguments])


def _become(command: list[str]) -> NoReturn:
    """Replace this process, so that signals and the exit status are the command's own."""
    sys.stdout.flush()
    os.execv(command[0], command)


def main() -> None:
    """The console script."""
    app(prog_name="throughline")
