"""Everything that dbt builds, as one step.

Belongs here: the dbt assets and how a dbt node reads in Dagster. All models are in one step because
split selections of one dbt project have been seen to run out of order without a word.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, dbt_assets
from pydantic import Field

from orchestration.defs.shared import (
    POOL,
    PRIVATE,
    WAREHOUSE,
    keep_warnings,
    sole_user,
    table_metadata,
    try_again,
)
from orchestration.narrator import Narrator
from throughline.building import lineage, tables
from throughline.building.manifest import described, read_manifest
from throughline.building.report import BuildError, Report
from throughline.landing import registry
from throughline.refreshing import builds, selection
from throughline.settings import REPOSITORY, SettingError, Settings, load_settings


class Translator(DagsterDbtTranslator):
    """Asset key = schema and table; group = folder of the walk; owner = dbt's group."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        table = dbt_resource_props.get("alias") or dbt_resource_props["name"]
        return dg.AssetKey([dbt_resource_props["schema"], table])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        folders = dbt_resource_props["fqn"][1:-1]
        return str(folders[0] if folders else dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        group = dbt_resource_props["config"].get("group")
        return [f"team:{group}"] if group else WAREHOUSE

    def get_tags(self, dbt_resource_props: Mapping[str, Any]) -> dict[str, str]:
        return {"access": str(dbt_resource_props.get("access") or "private")}

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return described(dbt_resource_props)

    def get_metadata(self, dbt_resource_props: Mapping[str, Any]) -> dict[str, Any]:
        code = dg.CodeReferencesMetadataValue(
            code_references=[
                dg.LocalFileCodeReference(file_path=str(file), line_number=line, label=file.name)
                for file, line in written_at(dbt_resource_props)
            ]
        )
        return {**super().get_metadata(dbt_resource_props), "dagster/code_references": code}


def written_at(node: Mapping[str, Any]) -> Iterator[tuple[Path, int]]:
    """The files of a dbt node, each with the line at which it speaks of it: its SQL, its YAML."""
    project = REPOSITORY / "dbt_project"
    yield (project / node["original_file_path"]).resolve(), 1
    if node.get("patch_path"):
        file = project / node["patch_path"].partition("://")[2]
        lines = file.read_text(encoding="utf-8").splitlines()
        named = f"- name: {node['name']}"
        yield file, next((no for no, line in enumerate(lines, 1) if line.strip() == named), 1)


def events(
    context: dg.AssetExecutionContext,
    settings: Settings,
    narrator: Narrator,
    invocation: DbtCliInvocation,
    build: builds.Build,
) -> Iterator[Any]:
    """Follow a dbt build to its end, then yield its events, tables with rows and columns.

    The facts wait for the end because DuckDB lets nobody else in while dbt has the file open. The
    SQL is read meanwhile.

    Raises:
        Failure: a model or a blocking check failed; nothing is published.
        RetryRequested: another program had the warehouse open.
    """
    reader = lineage.Reader(settings, invocation.manifest, invocation.target_path)
    report = Report(narrator.paced(), on_built=reader.built)
    found: list[Any] = []
    for message in invocation.stream_raw_events():
        report.take(message.raw_event)
        found += message.to_default_asset_events(
            manifest=invocation.manifest,
            dagster_dbt_translator=invocation.dagster_dbt_translator,
            context=context,
            target_path=invocation.target_path,
        )
    passed = invocation.process.returncode == 0
    try:
        outcomes = report.outcomes(invocation.target_path)
        came = build.end(outcomes, invocation.manifest, passed=passed)
    except builds.ChangedError as changed:
        raise dg.Failure(str(changed), allow_retries=False) from changed
    checked = [event for event in found if isinstance(event, dg.AssetCheckResult)]
    specs = context.assets_def.check_specs
    if not build.sees_all:
        # What stays was not looked at: what was to be said of it is so still.
        checked = [one for one in checked if not one.passed]
    is_all = build.sees_all and not context.is_subset
    keep_warnings(settings, "dbt", checked, specs=specs, complete=is_all)
    yield from _with_facts(build, context, found, invocation.manifest, reader.result())
    if passed:
        done = [f"{report.built} models and seeds built", f"{report.checked} checks done", came]
        narrator.note(", ".join(filter(None, done)))
    else:
        status = invocation.process.returncode
        error = BuildError(report.failures(settings, invocation.target_path, status))
        if error.is_lock_conflict:
            raise try_again() from error
        raise dg.Failure(str(error), allow_retries=False)


def _with_facts(
    build: builds.Build,
    context: dg.AssetExecutionContext,
    found: list[Any],
    manifest: Mapping[str, Any],
    origins: Mapping[lineage.Table, lineage.Columns],
) -> Iterator[Any]:
    keys = {key.to_python_identifier(): key for key in context.selected_asset_keys}
    built = [(key.path[0], key.path[1]) for key in keys.values()]
    about = {
        (node["schema"], node["alias"]): {
            name: column["description"] for name, column in node["columns"].items()
        }
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
    }
    facts = build.facts(built)
    for event in found:
        if isinstance(event, dg.Output):
            table = tuple(keys[event.output_name].path)
            told = table_metadata(facts.get(table), about.get(table, {}), origins.get(table))
            event = event.with_metadata({**event.metadata, **told})
        yield event


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Variables for the processes that are started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


class Replay(dg.Config):
    """What is built again though nothing new touches it: all of this has to be true of it."""

    source: str = Field(default="", description="A source.")
    first: str = Field(default="", description="The first day, in UTC: 2026-03-01.")
    last: str = Field(default="", description="The last day, in UTC.")
    conversation: str = Field(default="", description="Any id that leads to a conversation.")


@dg.definitions
def warehouse() -> dg.Definitions:
    manifest = read_manifest(load_settings())

    models = {
        Translator().get_asset_key(node)
        for node in manifest["nodes"].values()
        if node["resource_type"] in {"model", "seed"}
    }

    @dbt_assets(manifest=manifest, name="warehouse", dagster_dbt_translator=Translator(), pool=POOL)
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        narrator: dg.ResourceParam[Narrator],
        dbt: DbtCliResource,
        config: Replay,
    ) -> Iterator[Any]:
        try:
            registry.validate(settings)
            chosen = selection.read(config.model_dump())
        except (registry.RegistryError, selection.SelectionError) as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        everything = models <= context.selected_asset_keys
        with sole_user(settings, context.run_id):
            try:
                build = builds.begin(
                    settings,
                    context.run_id,
                    everything=everything,
                    manifest=manifest,
                    chosen=chosen,
                    tell=narrator.paced(),
                )
            except (selection.SelectionError, builds.PartError, SettingError) as error:
                raise dg.Failure(str(error), allow_retries=False) from error
            for line in filter(None, [build.taken_over, build.told]):
                narrator.say(line)
            narrator.say("Building and checking the models")
            try:
                with environment(build.environment):
                    invocation = dbt.cli(["build"], context=context, raise_on_error=False)
                yield from events(context, settings, narrator, invocation, build)
            finally:
                build.close()
        tables.tidy_targets(settings)

    files = [
        dg.AssetSpec(
            Translator().get_asset_key(source),
            description=described(source),
            group_name="registry",
            owners=WAREHOUSE,
            tags=PRIVATE,
            kinds={"csv"},
        )
        for source in manifest["sources"].values()
        if source["source_name"] == "registry"
    ]
    return dg.Definitions(assets=[build, *files])
