"""Every setting, declared once: its name, type, default, bounds and meaning.

Belongs here: the declarations, what reads them out of the environment and `.env`, and the paths
derived from them. Does not belong here: anything that opens a database.

Parsing, bounds, errors, `throughline settings` and the README's table all come from the
declarations. A variable counts before the same name in `.env`, which lies in the checkout; an empty
one counts as not set. A relative path in `.env` starts at the checkout, wherever the command does.

Long because every setting is declared in it, with its bounds and its meaning.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar, get_args
from urllib.parse import urlsplit

from dotenv import dotenv_values
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

REPOSITORY = Path(__file__).resolve().parent.parent
ENV_FILE = REPOSITORY / ".env"

# DuckDB 2 writes files that no 1.x client opens unless told so; BI drivers are still at 1.x.
PUBLISHED_STORAGE_VERSION = "v1.0.0"
# A sixth of DuckDB's default: a look-up reads one block of rows whole. Measured with 16,384: a
# third less per look-up, a twelfth more for a scan of everything.
PUBLISHED_ROW_GROUP_ROWS = 20_480

# Beside DuckDB, a run's processes hold this many bytes: Python, Dagster and dbt.
_BESIDE_DUCKDB = 500_000_000
# DuckDB keeps its limit for what it manages itself; with eighty million messages it came to hold a
# fifth more than it was told.
_DUCKDB_OVERSHOOT = 1.2
# However little a run may take: to read records of many megabytes DuckDB needs some 0.5 GB. So a
# run whose limit is below 1.8 GB can exceed it.
_LEAST_DUCKDB_SHARE = 0.6
# One letter and a colon would be a drive.
_ADDRESS = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/")
# Dagster's history is at an SQLite address, and dbt reads the name of the warehouse out of one.
_NO_ADDRESS = re.compile(r"[#?%]")
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT])(i?)B")
# What one process of the product tells another; people set none of these.
_INTERNAL = "THROUGHLINE_"


class SettingError(ValueError):
    """A setting has a value that cannot be used; the message names the variable and the remedy."""


def _path(text: object) -> Path:
    if found := _ADDRESS.match(str(text)):
        raise ValueError(
            f"is an address of the scheme {found[1]}: none is supported, only folders and files of"
            " this machine. Write a path; what lies elsewhere can be mounted"
        )
    return Path(str(text)).expanduser().resolve()


def _no_address(path: Path) -> Path:
    if found := _NO_ADDRESS.search(str(path)):
        raise ValueError(
            f"has {found[0]!r} in it, which Dagster and dbt take for a part of an address: choose a"
            " path without it"
        )
    return path


def _switch(text: object) -> bool:
    if text in ("on", "off"):
        return text == "on"
    raise ValueError("is neither on nor off: write one of them")


def _size(text: str) -> str:
    if not _SIZE.fullmatch(text):
        raise ValueError("is not a size: write a number and a unit, such as 4GB")
    return text


def _path_or_none(text: object) -> Path | None:
    return None if text in (None, "") else _path(text)


def _command(text: str) -> str:
    try:
        shlex.split(text)
    except ValueError as error:
        raise ValueError(f"is not a command line ({error}): correct it") from None
    return text


def _address_of(*schemes: str) -> AfterValidator:
    """An address of one of these schemes, with a host; none is one too."""

    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            is_one = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
        except ValueError:
            is_one = False
        if text and not is_one:
            told = " or ".join(f"{scheme}://…" for scheme in schemes)
            raise ValueError(f"is not an address of the form {told}: correct it")
        return text

    return AfterValidator(check)


def _bytes(size: str) -> float:
    found = _SIZE.fullmatch(size)
    assert found is not None, "load_settings has checked it"
    number, unit, binary = found.groups()
    scale: int = (1024 if binary else 1000) ** ("KMGT".index(unit) + 1)
    return float(number) * scale


AnyPath = Annotated[Path, BeforeValidator(_path)]
MaybePath = Annotated[Path | None, BeforeValidator(_path_or_none)]
PlainPath = Annotated[AnyPath, AfterValidator(_no_address)]
Switch = Annotated[bool, BeforeValidator(_switch)]
Size = Annotated[str, AfterValidator(_size)]
Number = Annotated[int, Field(ge=1)]


def _setting(
    name: str,
    default: Any,
    meaning: str,
    *,
    shown: str | None = None,
    secret: bool = False,
    **more: Any,
) -> Any:
    """Declare a setting.

    Args:
        name: the variable.
        default: a value as people write it, or a function of the settings declared before it.
        meaning: one sentence for the README's table and `throughline settings`.
        shown: how the default is told, where it differs from its value.
        secret: whether the value is shown to nobody.
        more: bounds, as pydantic's `Field` takes them.
    """
    given = {"default_factory": default} if callable(default) else {"default": default}
    return Field(
        validation_alias=name,
        description=meaning,
        repr=not secret,
        validate_default=True,
        json_schema_extra={"shown": default if shown is None else shown, "secret": secret},
        **given,
        **more,
    )


def _cores(_: Mapping[str, Any]) -> int:
    return os.cpu_count() or 1


def _below_warehouse(*parts: str) -> Any:
    return lambda found: found.get("warehouse_dir", Path()).joinpath(*parts)


_PATHS = (Path, Path | None)

# The variables that `load_…` was given in place of the process's own.
_given: ContextVar[Mapping[str, str] | None] = ContextVar("_given", default=None)


class _EnvFile(DotEnvSettingsSource):
    """`.env`. Its relative paths start at the checkout: commands work from any folder."""

    def __call__(self) -> dict[str, Any]:
        found = super().__call__()
        for field in self.settings_cls.model_fields.values():
            text = found.get(str(field.validation_alias))
            if field.annotation in _PATHS and text and not _ADDRESS.match(text):
                found[str(field.validation_alias)] = str(REPOSITORY / Path(text).expanduser())
        return found


class _Declared(BaseSettings):
    """What both kinds of settings share."""

    model_config = SettingsConfigDict(
        frozen=True, extra="ignore", env_ignore_empty=True, case_sensitive=True
    )

    warehouse_dir: PlainPath = _setting(
        "WAREHOUSE_DIR",
        REPOSITORY / ".warehouse",
        "everything that a run writes; a path without `#`, `?` and `%`",
        shown=".warehouse",
    )
    log_dir: MaybePath = _setting(
        "LOG_DIR",
        None,
        "where `throughline serve` and `throughline ui` write their logs, `serve.log` and"
        " `ui.log`; they go to the terminal, or to who started them, without it",
        shown="",
    )
    log_file_size: Size = _setting(
        "LOG_FILE_SIZE", "10MB", "a log file of `LOG_DIR` that is larger gives way to a new one"
    )
    log_files: int = _setting(
        "LOG_FILES", 5, "files of each log that stay in `LOG_DIR`, the current one included", ge=2
    )

    @property
    def log_file_bytes(self) -> int:
        """The size at which a log file gives way, in bytes."""
        return int(_bytes(self.log_file_size))

    @property
    def published_dir(self) -> Path:
        """What readers use."""
        return self.warehouse_dir / "published"

    def replaced(self, **changes: Any) -> Self:
        """The same settings but for some.

        Raises:
            TypeError: there is no setting of that name.
        """
        if unknown := changes.keys() - type(self).model_fields.keys():
            raise TypeError(f"no such setting: {', '.join(sorted(unknown))}")
        return self.model_copy(update=changes)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The variables that were given and no others; else the process's own, then `.env`."""
        given = _given.get()
        if given is None:
            return env_settings, _EnvFile(settings_cls, env_file=ENV_FILE)
        return (
            InitSettingsSource(settings_cls, {name: text for name, text in given.items() if text}),
        )


class Settings(_Declared):
    """The settings of one run. All paths are absolute."""

    landing_dir: AnyPath = _setting(
        "LANDING_DIR",
        REPOSITORY / "seeds" / "sample_logs",
        "where raw logs arrive, laid out as `<source>/<log>/**/<file>`",
        shown="seeds/sample_logs",
    )
    registry_dir: AnyPath = _setting(
        "REGISTRY_DIR",
        REPOSITORY / "seeds" / "registry",
        "`sources.csv` and `projects.csv`",
        shown="seeds/registry",
    )
    dagster_home: PlainPath = _setting(
        "DAGSTER_HOME",
        _below_warehouse("dagster"),
        "Dagster's instance: its configuration, run history, schedules; a path as above",
        shown="`WAREHOUSE_DIR`/dagster",
    )
    engine: Literal["duckdb", "spark"] = _setting(
        "ENGINE",
        "duckdb",
        "what builds the models; the results are the same. `spark` needs `make spark-setup` and"
        " Java, and pays beyond one machine alone (docs/scale.md)",
    )
    spark_master: str = _setting(
        "SPARK_MASTER",
        "local[*]",
        "where Spark works: this machine's cores, or a cluster's `spark://host:port`, all of whose"
        " machines have `WAREHOUSE_DIR` under the same path",
    )
    spark_driver_host: str = _setting(
        "SPARK_DRIVER_HOST",
        "127.0.0.1",
        "the address at which the machines of a cluster reach this one",
    )
    snapshot_rows: Number = _setting(
        "SNAPSHOT_ROWS",
        1_000_000_000,
        "a published model that Spark built and that has more rows is a view in the published"
        " DuckDB file, over the Parquet files beside it",
    )
    memory_limit: Size = _setting(
        "MEMORY_LIMIT",
        "4GB",
        "what a run may take; DuckDB is told what Python, Dagster and dbt leave of it (of 4 GB:"
        " 2.9) and spills to disk beyond; below 1.8 GB a run can exceed its limit",
    )
    threads: Number = _setting("DUCKDB_THREADS", _cores, "DuckDB's threads", shown="all cores")
    versions_kept: Number = _setting(
        "PUBLISHED_VERSIONS", 3, "published versions that stay on disk, the current one included"
    )
    runs_kept: Number = _setting(
        "RUNS_KEPT",
        100,
        "runs that stay in Dagster's history, some 4 MB each; older ones go, except where the"
        " interface shows the newest state of an asset or a check from them",
    )
    scheduled_exports: Switch = _setting(
        "SCHEDULED_EXPORTS",
        "on",
        "whether the first version of each UTC day comes with the log as CSV and Parquet; `off`"
        " saves minutes where it has many million rows",
    )
    refreshes: Switch = _setting(
        "REFRESHES",
        "on",
        "whether a run builds the conversations that new rows touch and keeps the others; `off`"
        " builds everything each time, which gives the same",
    )
    oversized_contacts: Number = _setting(
        "OVERSIZED_CONTACTS", 1000, "a conversation with more contacts is reported as oversized"
    )
    late_percent: Number = _setting(
        "LATE_PERCENT",
        1,
        "a period of a report is provisional until no more than this many per cent of a source's"
        " records may still come, by how late they came so far",
    )
    freshness_hours: Number = _setting(
        "FRESHNESS_HOURS", 30, "a source that brought no file for longer is reported as stale"
    )
    landing_retention_days: int | None = _setting(
        "LANDING_RETENTION_DAYS",
        None,
        "days after which a file of the landing zone goes that was loaded whole and is published;"
        " its rows stay in the raw tables. All files stay without it",
        shown="",
        ge=1,
    )
    backups_kept: Number = _setting(
        "BACKUPS_KEPT", 7, "backups that `throughline backup` leaves in its folder, newest first"
    )
    alert_command: Annotated[str, AfterValidator(_command)] = _setting(
        "ALERT_COMMAND",
        "",
        "a command line that is called when a run failed or none went well for `FRESHNESS_HOURS`,"
        " and when all is well again; it gets JSON on its standard input, and no shell",
    )
    alert_webhook: Annotated[str, _address_of("http", "https")] = _setting(
        "ALERT_WEBHOOK",
        "",
        "an address to which the same JSON is posted",
        secret=True,
    )
    alert_mail_to: str = _setting(
        "ALERT_MAIL_TO", "", "who gets the same by mail, several with commas between them"
    )
    alert_mail_from: str = _setting(
        "ALERT_MAIL_FROM", "", "whom such a mail is from; the first of `ALERT_MAIL_TO` without it"
    )
    alert_smtp: Annotated[str, _address_of("smtp", "smtps")] = _setting(
        "ALERT_SMTP",
        "smtp://127.0.0.1",
        "the mail server, `smtp://host[:port]` or `smtps://user:password@host`; a password is sent"
        " over TLS alone",
        secret=True,
    )
    unit_tests: Switch = _setting(
        "UNIT_TESTS",
        "off",
        "whether dbt's unit tests are part of the project that dbt reads; `make test` runs them",
    )

    @property
    def warehouse_file(self) -> Path:
        """The DuckDB file that only the pipeline opens."""
        return self.warehouse_dir / "warehouse.duckdb"

    @property
    def outgoing_file(self) -> Path:
        """The DuckDB file in which dbt builds the public models; publishing copies it."""
        return self.warehouse_dir / "outgoing.duckdb"

    @property
    def spark_dir(self) -> Path:
        """What Spark reads and what it leaves (throughline.spark)."""
        return self.warehouse_dir / "spark"

    @property
    def outgoing_form(self) -> str:
        """SQL of the form of the file of the public models, which readers get.

        A file does not say how large its row groups are to be: unless told each time, DuckDB merges
        them.
        """
        return (
            f"storage_version '{PUBLISHED_STORAGE_VERSION}',"
            f" row_group_size {PUBLISHED_ROW_GROUP_ROWS}"
        )

    @property
    def working_dir(self) -> Path:
        """What a refresh builds, until it is merged."""
        return self.warehouse_dir / "working"

    @property
    def duckdb_memory_limit(self) -> str:
        """The part of the memory limit that DuckDB is told, in its own words."""
        size = _bytes(self.memory_limit)
        told = max((size - _BESIDE_DUCKDB) / _DUCKDB_OVERSHOOT, size * _LEAST_DUCKDB_SHARE)
        return f"{int(told / 1000)}KB"

    @property
    def spark_memory(self) -> str:
        """The heap of Spark's process on this machine, in its own words."""
        return f"{max(int(_bytes(self.duckdb_memory_limit) / 2**20), 512)}m"

    @property
    def engine_options(self) -> dict[str, str | bool | int | float | list[str]]:
        """The options of each DuckDB that a run opens; dbt's, in profiles.yml, say the same."""
        return {
            "memory_limit": self.duckdb_memory_limit,
            # Blocks are used again, not handed back to the system after each query.
            "block_allocator_memory": self.duckdb_memory_limit,
            # A checkpoint leaves row groups as they are: merging those that a log's own cut left
            # small compresses whole tables once more. Both: docs/decisions/0012.
            "max_vacuum_tasks": 0,
            "threads": self.threads,
            # Behind a firewall that drops packets a missing extension hangs for minutes.
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
        }

    @property
    def published_file(self) -> Path:
        """The immutable snapshot that BI tools open."""
        return self.published_dir / "throughline.duckdb"

    @property
    def scratch_dir(self) -> Path:
        """Decompressed copies and DuckDB's spill files; emptied when a run starts."""
        return self.warehouse_dir / "scratch"

    @property
    def dbt_project_dir(self) -> Path:
        """The dbt project, in the repository."""
        return REPOSITORY / "dbt_project"

    @property
    def dbt_target_dir(self) -> Path:
        """What dbt writes: manifest, run results, compiled SQL."""
        return self.warehouse_dir / "dbt" / "target"

    @property
    def dbt_log_dir(self) -> Path:
        """dbt's log files."""
        return self.warehouse_dir / "dbt" / "logs"

    def environment(self) -> dict[str, str]:
        """The variables that dbt, Dagster and their children need, telemetry off.

        Returns:
            Only what this project adds: merge it over `os.environ`.
        """
        return {
            "LANDING_DIR": str(self.landing_dir),
            "WAREHOUSE_DIR": str(self.warehouse_dir),
            "REGISTRY_DIR": str(self.registry_dir),
            "ENGINE": self.engine,
            "SPARK_MASTER": self.spark_master,
            "SPARK_DRIVER_HOST": self.spark_driver_host,
            "MEMORY_LIMIT": self.memory_limit,
            "THROUGHLINE_DUCKDB_MEMORY": self.duckdb_memory_limit,
            "DUCKDB_THREADS": str(self.threads),
            "OVERSIZED_CONTACTS": str(self.oversized_contacts),
            "LATE_PERCENT": str(self.late_percent),
            "REFRESHES": "on" if self.refreshes else "off",
            "SCHEDULED_EXPORTS": "on" if self.scheduled_exports else "off",
            "UNIT_TESTS": "on" if self.unit_tests else "off",
            "THROUGHLINE_WAREHOUSE_FILE": str(self.warehouse_file),
            "THROUGHLINE_OUTGOING_FILE": str(self.outgoing_file),
            "THROUGHLINE_STORAGE_VERSION": PUBLISHED_STORAGE_VERSION,
            "THROUGHLINE_ROW_GROUP_ROWS": str(PUBLISHED_ROW_GROUP_ROWS),
            "THROUGHLINE_SCRATCH_DIR": str(self.scratch_dir),
            "THROUGHLINE_SPARK_DIR": str(self.spark_dir),
            "THROUGHLINE_SPARK_MEMORY": self.spark_memory,
            "DBT_PROFILES_DIR": str(self.dbt_project_dir),
            "DBT_PROJECT_DIR": str(self.dbt_project_dir),
            "DBT_TARGET_PATH": str(self.dbt_target_dir),
            "DBT_LOG_PATH": str(self.dbt_log_dir),
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
            "DO_NOT_TRACK": "1",
            "DAGSTER_HOME": str(self.dagster_home),
            "DAGSTER_DISABLE_TELEMETRY": "1",
        }


class ServingSettings(_Declared):
    """The settings of the server of the REST resource and the pages. All paths are absolute."""

    host: str = _setting("SERVE_HOST", "127.0.0.1", "the address that the server listens on")
    port: int = _setting("SERVE_PORT", 8000, "the port that the server listens on", ge=1, le=65_535)
    behind_proxy: Switch = _setting(
        "SERVE_BEHIND_PROXY",
        "off",
        "whether a proxy stands before the server and is believed about who asks"
        " (`X-Forwarded-For`) and how (`X-Forwarded-Proto`, HSTS); nothing is answered without a"
        " key then",
    )
    api_key: str = _setting(
        "API_KEY", "", "a key of the server, beside those of `throughline keys`", secret=True
    )
    keys_file: AnyPath = _setting(
        "API_KEYS_FILE",
        _below_warehouse("serving", "keys.json"),
        "the hashed keys",
        shown="`WAREHOUSE_DIR`/serving/keys.json",
    )
    requests_per_minute: Number = _setting(
        "REQUESTS_PER_MINUTE",
        600,
        "what one key may ask for, evenly spread with a burst of a sixth of it",
    )
    query_seconds: Number = _setting("QUERY_SECONDS", 20, "how long a question may take")
    export_seconds: Number = _setting("EXPORT_SECONDS", 3600, "how long an export may take")
    memory_limit: Size = _setting(
        "SERVE_MEMORY_LIMIT",
        "2GB",
        "DuckDB's memory in the server: of each of its two engines, one for look-ups and one for"
        " the rest",
    )
    threads: Number = _setting(
        "SERVE_THREADS",
        _cores,
        "DuckDB's threads in the server, for questions; a look-up has one",
        shown="all cores",
    )
    spill_dir: AnyPath = _setting(
        f"{_INTERNAL}SPILL_DIR",
        _below_warehouse("serving", "spill"),
        "where a query that needs more memory than it may have writes for a while",
    )


_Kind = TypeVar("_Kind", bound=_Declared)


def folder(text: str) -> Path:
    """A folder that a command was given, absolute; it need not be there.

    Raises:
        SettingError: it is an address.
    """
    try:
        return _path(text)
    except ValueError as error:
        raise SettingError(f"{text!r} {error}") from None


def load_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """Read the settings.

    Args:
        environ: the variables to read; the process's own, and `.env`, when not given.

    Raises:
        SettingError: a value cannot be used.
    """
    return _load(Settings, environ)


def load_serving_settings(environ: Mapping[str, str] | None = None) -> ServingSettings:
    """Read the settings of the server.

    Args:
        environ: the variables to read; the process's own, and `.env`, when not given.

    Raises:
        SettingError: a value cannot be used.
    """
    return _load(ServingSettings, environ)


def _load(kind: type[_Kind], environ: Mapping[str, str] | None) -> _Kind:
    token = _given.set(environ)
    try:
        return kind()
    except ValidationError as error:
        raise SettingError("\n".join(_problems(kind, error))) from None
    finally:
        _given.reset(token)


def _problems(kind: type[_Declared], error: ValidationError) -> Iterator[str]:
    """One line for each value that cannot be used: the variable, the value, the remedy."""
    fields = {str(field.validation_alias): field for field in kind.model_fields.values()}
    fields.update(kind.model_fields)
    for fault in error.errors():
        if fault["type"] == "default_factory_not_called":
            continue  # It follows from another one.
        field = fields[str(fault["loc"][0])]
        name, given = str(field.validation_alias), fault["input"]
        value = "…" if _extra(field)["secret"] else repr(str(given))
        if "error" in (context := fault.get("ctx", {})):
            problem = str(context["error"])
        else:
            problem = f"is not {_takes(field)}: correct it"
        yield f"{name}={value} {problem}"


@dataclass(frozen=True)
class Declaration:
    """What a setting is, for people.

    Attributes:
        name: the variable.
        takes: what it takes, for example `a whole number of at least 1`.
        default: its default as it is told.
        meaning: one sentence, in Markdown.
        value: what it is now, as people write it; three dots for a secret that is set.
        origin: `environment`, `.env` or `default`.
    """

    name: str
    takes: str
    default: str
    meaning: str
    value: str
    origin: str


def declarations(environ: Mapping[str, str] | None = None) -> list[Declaration]:
    """Every setting that people set, in the order in which it is declared, with what it is now.

    Args:
        environ: as for `load_settings`.

    Raises:
        SettingError: a value cannot be used.
    """
    return [
        Declaration(
            str(field.validation_alias),
            _takes(field),
            str(_extra(field)["shown"]),
            str(field.description),
            _written(field, getattr(loaded, attribute)),
            _origin(loaded, attribute, environ),
        )
        for loaded in (load_settings(environ), load_serving_settings(environ))
        for attribute, field in type(loaded).model_fields.items()
        if not str(field.validation_alias).startswith(_INTERNAL)
        # Declared once, and shared.
        and not (isinstance(loaded, ServingSettings) and attribute in _Declared.model_fields)
    ]


def no_settings_in_env_file() -> list[str]:
    """Names in `.env` that are no setting: another tool's, or a slip of the pen."""
    declared = {
        str(field.validation_alias)
        for kind in (Settings, ServingSettings)
        for field in kind.model_fields.values()
    }
    return [name for name in dotenv_values(ENV_FILE) if name not in declared]


def _origin(loaded: _Declared, attribute: str, environ: Mapping[str, str] | None) -> str:
    if attribute not in loaded.model_fields_set:
        return "default"
    variables = os.environ if environ is None else environ
    name = str(type(loaded).model_fields[attribute].validation_alias)
    return "environment" if variables.get(name) else ".env"


def _extra(field: FieldInfo) -> dict[str, Any]:
    extra = field.json_schema_extra
    assert isinstance(extra, dict), "_setting gives one"
    return extra


def _written(field: FieldInfo, value: object) -> str:
    if _extra(field)["secret"] and value != field.default:
        return "…" if value else ""
    if isinstance(value, bool):
        return "on" if value else "off"
    return "" if value is None else str(value)


def _takes(field: FieldInfo) -> str:
    """What a setting takes, in words."""
    bounds = {
        name: getattr(bound, name)
        for bound in field.metadata
        for name in ("ge", "le")
        if getattr(bound, name, None) is not None
    }
    if "le" in bounds:
        return f"a whole number from {bounds['ge']} to {bounds['le']}"
    if "ge" in bounds:
        return f"a whole number of at least {bounds['ge']}"
    if field.annotation is bool:
        return "on or off"
    if field.annotation in _PATHS:
        return "a path"
    if any(getattr(rule, "func", None) is _size for rule in field.metadata):
        return "a size such as 4GB"
    return " or ".join(get_args(field.annotation)) or "text"
