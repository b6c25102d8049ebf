"""Everything about calling dbt.

Belongs here: dbt's environment and executable, the manifest, builds and what they report, facts
about what was built. Does not belong here: SQL of a model (dbt_project), anything of Dagster.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from orchestration import dbt_command, locks, registry, state
from orchestration.settings import Settings

Progress = Callable[[str], None]

TARGETS_KEPT = 3
MANIFESTS_KEPT = 5
FAILURES_TOLD = 5
# What is read of a parsed project: by Dagster and publishing, and by `mf`.
MANIFESTS = ("manifest.json", "semantic_manifest.json")


class BuildError(RuntimeError):
    """dbt failed. `failures` holds one readable line or block per model or check that failed."""

    def __init__(self, failures: Sequence[str]) -> None:
        self.failures = list(failures)
        told = self.failures[:FAILURES_TOLD]
        if len(self.failures) > len(told):
            told.append(f"and {len(self.failures) - len(told)} more")
        super().__init__("\n".join(told))

    @property
    def is_lock_conflict(self) -> bool:
        """Whether another process had the warehouse file open, so that waiting helps."""
        return any("Could not set lock on file" in failure for failure in self.failures)


def environment(settings: Settings) -> dict[str, str]:
    """The environment of a child process: this one's, with the settings over it."""
    return {**os.environ, **settings.environment()}


def executable(settings: Settings) -> Path:
    """The dbt command, written under WAREHOUSE_DIR so that it runs with this Python."""
    path = settings.warehouse_dir / "dbt" / "dbt"
    # By path, because dbt has a working directory of its own; -P keeps this folder from hiding
    # other people's modules of the same names.
    command = " ".join(
        shlex.quote(word)
        for word in (sys.executable, "-P", str(Path(__file__).with_name("dbt_command.py")))
    )
    content = f'#!/bin/sh\nexec {command} "$@"\n'
    if not path.exists() or path.read_text(encoding="utf-8") != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(f".{os.getpid()}")
        draft.write_text(content, encoding="utf-8")
        draft.chmod(0o755)
        draft.replace(path)
    return path


def ensure_manifest(settings: Settings) -> Path:
    """dbt's manifest, parsed again only when something that it depends on has changed.

    Raises:
        BuildError: the project does not parse.
    """
    if not _manifest_is_current(settings, registry.dbt_fingerprint(settings)):
        with _manifest_brought_up_to_date(settings) as is_current:
            if not is_current:
                report = Report()
                process = _start(settings, ["parse"], settings.dbt_target_dir)
                if _follow(process, report.take) != 0:
                    raise BuildError(report.failures(settings.dbt_target_dir))
    return settings.dbt_target_dir / "manifest.json"


@contextmanager
def dbt_waiting(settings: Settings) -> Iterator[None]:
    """Bring dbt's manifest up to date, and have a dbt wait with it for the build that comes.

    dbt takes seconds to start and to read the project, of one processor: so it does that while the
    logs are loaded. The dbt commands of this process find it by `os.environ`; where it has ended
    they do their work themselves. Call it in the main thread: dbt ends with the thread that started
    it.

    Raises:
        BuildError: the project does not parse.
    """
    path = settings.warehouse_dir / "dbt" / "waiting"
    with _manifest_brought_up_to_date(settings) as is_current:
        # A current manifest is read by others meanwhile, and stays as it is.
        parse = ["--no-write-json", "parse"] if is_current else ["parse"]
        # Whoever hands a command over passes an interruption on as well.
        arguments = ["--wait", str(path), *parse]
        process = _start(settings, arguments, settings.dbt_target_dir, apart=True)
        try:
            if not is_current:
                report = Report()
                status = _follow(process, report.take, until=dbt_command.READY)
                if status is not None:
                    raise BuildError(report.failures(settings.dbt_target_dir))
        except BaseException:
            _end(process)
            raise
    # What it says from now on goes to whoever hands over a command.
    assert process.stdout is not None
    threading.Thread(target=process.stdout.read, daemon=True).start()
    os.environ[dbt_command.WAITING] = str(path)
    try:
        yield
    finally:
        del os.environ[dbt_command.WAITING]
        _end(process)
        path.unlink(missing_ok=True)


def _end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.wait()


def _manifest_is_current(settings: Settings, fingerprint: str) -> bool:
    stamp = settings.dbt_target_dir / "manifest.stamp"
    return (
        stamp.with_name("manifest.json").exists()
        and stamp.exists()
        and stamp.read_text(encoding="utf-8") == fingerprint
    )


@contextmanager
def _manifest_brought_up_to_date(settings: Settings) -> Iterator[bool]:
    """Around the parsing: no other process does the same. Gives whether it is current already."""
    with locks.held(settings, "manifest", wait_seconds=300):
        fingerprint = registry.dbt_fingerprint(settings)
        if _manifest_is_current(settings, fingerprint):
            yield True
            return
        stamp = settings.dbt_target_dir / "manifest.stamp"
        stamp.unlink(missing_ok=True)
        kept = settings.manifests_dir / fingerprint
        is_kept = _take_manifests(kept, settings.dbt_target_dir)
        yield is_kept
        stamp.write_text(fingerprint, encoding="utf-8")
        if not is_kept:
            _keep_manifests(settings.dbt_target_dir, kept)


def _take_manifests(kept: Path, target: Path) -> bool:
    """Copy what another warehouse of this checkout had dbt read; whether it was there."""
    target.mkdir(parents=True, exist_ok=True)
    try:
        for name in MANIFESTS:
            shutil.copyfile(kept / name, target / name)
    except OSError:
        return False
    return True


def _keep_manifests(target: Path, kept: Path) -> None:
    """Keep what dbt has read for other warehouses of this checkout, where that can be written."""
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        draft = kept.with_suffix(f".{os.getpid()}")
        try:
            draft.mkdir()
            for name in MANIFESTS:
                shutil.copyfile(target / name, draft / name)
            # What is there was of no use a moment ago, or another run has just put it there.
            shutil.rmtree(kept, ignore_errors=True)
            draft.rename(kept)
        except OSError:
            shutil.rmtree(draft, ignore_errors=True)
        newest_first = sorted(kept.parent.iterdir(), key=lambda path: -path.stat().st_mtime)
        for path in newest_first[MANIFESTS_KEPT:]:
            shutil.rmtree(path, ignore_errors=True)


def read_manifest(settings: Settings) -> dict[str, Any]:
    """The manifest as dbt wrote it, brought up to date first."""
    content: dict[str, Any] = json.loads(ensure_manifest(settings).read_bytes())
    place_tests(content)
    return content


def place_tests(manifest: dict[str, Any]) -> None:
    """Give each test its description as a check and, where it reads several models, its model.

    That is the one that is built last. Without it Dagster shows such a test as a remark in the log
    and not as a check. A test that names its model itself, by `meta.dagster.ref`, is left alone.
    """
    nodes: dict[str, Any] = manifest["nodes"]
    depth: dict[str, int] = {}

    def steps_to(name: str) -> int:
        if name not in nodes:
            return 0
        if name not in depth:
            depth[name] = 1 + max(
                map(steps_to, nodes[name]["depends_on"].get("nodes", [])), default=0
            )
        return depth[name]

    for node in nodes.values():
        if node["resource_type"] != "test":
            continue
        node.setdefault("meta", {}).setdefault("description", _checked(node) or None)
        if node.get("attached_node"):
            continue
        models = [name for name in node["depends_on"]["nodes"] if name in nodes]
        meta = node["config"].setdefault("meta", {}).setdefault("dagster", {})
        if len(node["depends_on"]["nodes"]) > 1 and models and "ref" not in meta:
            last = max(models, key=lambda name: (steps_to(name), name))
            meta["ref"] = {"name": nodes[last]["name"]}


def public_models(manifest: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(schema, table) of every model that readers may use, in order of name."""
    return sorted(
        (node["schema"], node["alias"])
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model" and node.get("access") == "public"
    )


def described(node: Mapping[str, Any]) -> str:
    """What a dbt node says it is: its description, or else the comment that its SQL opens with."""
    if node.get("description"):
        return str(node["description"])
    if node["resource_type"] == "seed":
        return f"The rows of {Path(node['original_file_path']).name}."
    comment = re.match(r"(?:\s|\{\{.*?\}\})*((?:--[^\n]*\n)+)", node.get("raw_code") or "", re.S)
    lines = comment.group(1).splitlines() if comment else []
    return " ".join(line.removeprefix("--").strip() for line in lines)


def _checked(test: Mapping[str, Any]) -> str:
    """What a test says holds: its own description, or else a sentence from what it is given."""
    if test.get("description") or not test.get("test_metadata"):
        return described(test)
    given = test["test_metadata"]["kwargs"]
    column = given.get("column_name")
    match test["test_metadata"]["name"]:
        case "unique_key":
            return f"No two rows have the same {', '.join(given['columns'])}."
        case "never_null":
            return f"Never null: {', '.join(given['columns'])}."
        case "unique":
            return f"No two rows have the same {column}."
        case "not_null":
            return f"Never null: {column}."
        case "accepted_values":
            return (
                f"{column}, where it is not null, is one of {', '.join(map(str, given['values']))}."
            )
        case "relationships":
            model = given["to"].removeprefix("ref('").removesuffix("')")
            return f"Every {column} that is not null is a {given['field']} of {model}."
    return ""


@dataclass
class Report:
    """Follows dbt's JSON log: says how far it is, and in the end what failed.

    Attributes:
        progress: gets a line for each model, seed and test that starts.
        errors: what dbt's log calls an error.
        built, checked: models and seeds that stand; tests that ran.
    """

    progress: Progress | None = None
    errors: list[str] = field(default_factory=list)
    built: int = 0
    checked: int = 0

    def take(self, event: Mapping[str, Any]) -> None:
        """Read one event of dbt's log."""
        info, data = event.get("info", {}), event.get("data", {})
        if info.get("level") == "error":
            self.errors.append(str(info.get("msg", "")).strip())
        node = data.get("node_info", {})
        if info.get("name") == "LogStartLine" and self.progress:
            self.progress(f"{data['index']} of {data['total']}: {node.get('node_name')}")
        if str(info.get("name")).startswith("Log") and str(info.get("name")).endswith("Result"):
            self.built += node.get("resource_type") in {"model", "seed"}
            self.checked += node.get("resource_type") in {"test", "unit_test"}

    def failures(self, target: Path) -> list[str]:
        """What failed, from dbt's run results, or from its log when it got no further."""
        try:
            results = json.loads((target / "run_results.json").read_bytes())["results"]
        except (FileNotFoundError, ValueError, KeyError):
            results = []
        failures = [
            _describe(result, target)
            for result in results
            if result["status"] in {"error", "fail", "runtime error"}
        ]
        return failures or [error for error in self.errors if error] or ["dbt ended without a word"]


def _describe(result: Mapping[str, Any], target: Path) -> str:
    kind, _, name = str(result["unique_id"]).partition(".throughline.")
    name = name.split(".")[0]
    message = " ".join(str(result.get("message") or "no message").split())
    if kind == "test" and result["status"] == "fail":
        compiled = next(target.glob(f"compiled/**/{name}.sql"), None)
        where = f"\n    its query: {compiled}" if compiled else ""
        return f"check {name} found {result.get('failures')} rows: {message}{where}"
    return f"{kind} {name}: {message}"


def _start(
    settings: Settings, arguments: Sequence[str], target: Path, *, apart: bool = False
) -> subprocess.Popen[bytes]:
    """Start dbt in a child process that logs JSON to a pipe; `apart` keeps Ctrl-C from it."""
    settings.scratch_dir.mkdir(parents=True, exist_ok=True)
    (target / "run_results.json").unlink(missing_ok=True)
    return subprocess.Popen(
        [str(executable(settings)), *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        cwd=settings.dbt_project_dir,
        env={
            **environment(settings),
            "DBT_LOG_FORMAT": "json",
            "DBT_TARGET_PATH": str(target),
            "PYTHONUNBUFFERED": "1",
        },
        start_new_session=apart,
    )


def _follow(
    process: subprocess.Popen[bytes],
    on_event: Callable[[Mapping[str, Any]], None],
    until: str | None = None,
) -> int | None:
    """Pass on dbt's log events. Gives its exit status; None when the line `until` came first."""
    plain: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            text = line.decode("utf-8", errors="replace").strip()
            if text == until:
                return None
            try:
                on_event(json.loads(text))
            except ValueError:
                plain.append(text)
        code = process.wait()
    except BaseException:
        process.terminate()
        process.wait()
        raise
    if code != 0 and plain:
        # A traceback of dbt itself is no JSON: its last lines say what it was.
        on_event({"info": {"level": "error", "msg": "\n".join(plain[-20:])}, "data": {}})
    return code


def build(
    settings: Settings,
    *,
    run_id: str = "build",
    progress: Progress | None = None,
    select: Sequence[str] = (),
) -> None:
    """`dbt build` without Dagster, under the warehouse lock.

    Args:
        settings: where everything is.
        run_id: recorded as the builder.
        progress: gets a line now and then.
        select: dbt's selection; everything when empty.

    Raises:
        RegistryError: the registry cannot be used.
        BuildError: a model or a blocking check failed.
    """
    registry.validate(settings)
    ensure_manifest(settings)
    report = Report(progress)
    arguments = ["build", *(["--select", *select] if select else [])]
    with locks.warehouse(settings):
        begin(settings, run_id, complete=not select)
        if _follow(_start(settings, arguments, settings.dbt_target_dir), report.take) != 0:
            finish(settings, passed=False, complete=not select)
            raise BuildError(report.failures(settings.dbt_target_dir))
        finish(settings, passed=True, complete=not select)


def begin(settings: Settings, run_id: str, *, complete: bool) -> None:
    """Record that models are about to change: until `finish`, nothing may be published.

    Args:
        settings: where the record is.
        run_id: recorded as the builder.
        complete: everything is built. The public models then get a new file: one in which tables
            are replaced keeps the space of the old ones, and it is copied as it is.
    """
    state.write(
        settings,
        state.BuildState(
            status="building",
            run_id=run_id,
            fingerprint=registry.fingerprint(settings),
            last_load_no=last_load_no(settings),
        ),
    )
    if complete:
        _drop_outgoing(settings)


def finish(settings: Settings, *, passed: bool, complete: bool) -> None:
    """Record how the build ended.

    Args:
        settings: where the record is.
        passed: every selected model stands and every selected blocking check holds.
        complete: nothing was left out; a part alone never makes the whole up to date.
    """
    begun = state.read(settings)
    if begun is None:
        return
    state.write(
        settings,
        state.BuildState(
            status="passed" if passed else "failed",
            run_id=begun.run_id,
            fingerprint=begun.fingerprint if passed and complete else "",
            last_load_no=begun.last_load_no,
        ),
    )


def last_load_no(settings: Settings) -> int:
    """The newest load in the ledger; 0 when there is none. Call it under the warehouse lock."""
    if not settings.warehouse_file.exists():
        return 0
    with connect_read_only(settings) as connection:
        try:
            row = connection.execute("select max(load_no) from raw.loads").fetchone()
        except duckdb.CatalogException:
            return 0
    return int(row[0] or 0) if row else 0


def connect_read_only(settings: Settings) -> duckdb.DuckDBPyConnection:
    """The warehouse and the public models for reading, each table by its schema and name.

    Call it under the warehouse lock: a reader blocks the writer.
    """
    connection = duckdb.connect(
        str(settings.warehouse_file), read_only=True, config=settings.engine_options
    )
    try:
        if settings.outgoing_file.exists():
            file = str(settings.outgoing_file).replace("'", "''")
            name = quoted(settings.outgoing_file.stem)
            connection.execute(f"attach '{file}' as {name} (read_only)")
            # The public models first: a warehouse that an older version built may hold others.
            schemas = connection.execute(
                "select database_name, schema_name from duckdb_schemas() where not internal"
                " order by database_name = current_database(), database_name, schema_name"
            ).fetchall()
            home = f"{settings.warehouse_file.stem}.main"
            path = [home, *(f"{database}.{schema}" for database, schema in schemas)]
            connection.execute(f"set search_path = '{','.join(path)}'")
    except BaseException:
        connection.close()
        raise
    return connection


@dataclass(frozen=True)
class TableFacts:
    """What stands in a table: its rows (None for a view) and its (column, type) pairs."""

    rows: int | None
    columns: tuple[tuple[str, str], ...]


def quoted(*names: str) -> str:
    """A dotted identifier, quoted."""
    return ".".join('"' + name.replace('"', '""') + '"' for name in names)


def table_facts(
    connection: duckdb.DuckDBPyConnection, tables: Iterable[tuple[str, str]]
) -> dict[tuple[str, str], TableFacts]:
    """Rows and columns of the given (schema, table) pairs, without those that do not exist."""
    # Asked once for all: each look into the catalog reads the whole of it.
    kinds: dict[tuple[str, str], str] = {}
    columns: dict[tuple[str, str], list[tuple[str, str]]] = {table: [] for table in tables}
    for schema, table, kind in connection.execute(
        "select table_schema, table_name, table_type from information_schema.tables"
    ).fetchall():
        kinds[schema, table] = kind
    for schema, table, name, kind in connection.execute(
        "select table_schema, table_name, column_name, data_type"
        " from information_schema.columns order by ordinal_position"
    ).fetchall():
        if (schema, table) in columns:
            columns[schema, table].append((name, kind))
    facts = {}
    for (schema, table), found in columns.items():
        if (schema, table) not in kinds:
            continue
        rows = None
        if kinds[schema, table] == "BASE TABLE":
            count = connection.execute(f"from {quoted(schema, table)} select count(*)").fetchone()
            rows = int(count[0]) if count else None
        facts[schema, table] = TableFacts(rows, tuple(found))
    return facts


def drop_built(settings: Settings) -> list[str]:
    """Drop everything that dbt builds; the raw tables stay. Gives the names dropped."""
    state.forget(settings)
    dropped = [settings.outgoing_file.name] if settings.outgoing_file.exists() else []
    _drop_outgoing(settings)
    if not settings.warehouse_file.exists():
        return dropped
    with duckdb.connect(str(settings.warehouse_file)) as connection:
        schemas = connection.execute(
            "select schema_name from information_schema.schemata"
            " where catalog_name = current_database()"
            " and schema_name not in ('raw', 'main', 'information_schema', 'pg_catalog')"
            " order by schema_name"
        ).fetchall()
        for (schema,) in schemas:
            connection.execute(f"drop schema {quoted(schema)} cascade")
    return [schema for (schema,) in schemas] + dropped


def _drop_outgoing(settings: Settings) -> None:
    """Remove the file of the public models; the published copies of it stay."""
    file = settings.outgoing_file
    for path in (file, file.with_name(f"{file.name}.wal")):
        path.unlink(missing_ok=True)


def tidy_targets(settings: Settings) -> None:
    """Remove the working folders of old dbt runs; the newest few stay for a look."""
    folders = sorted(
        (path for path in settings.dbt_target_dir.glob("*-*-*") if path.is_dir()),
        key=lambda path: path.stat().st_mtime,
    )
    for folder in folders[:-TARGETS_KEPT]:
        shutil.rmtree(folder, ignore_errors=True)
