"""Everything that dbt builds, as one step.

Belongs here: the dbt assets and how a dbt node reads in Dagster. All models are in one step because
split selections of one dbt project have been seen to run out of order without a word.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import dagster as dg
from dagster_dbt import DagsterDbtTranslator, DbtCliInvocation, DbtCliResource, dbt_assets

from orchestration import registry, transform
from orchestration.defs.shared import OWNERS, POOL, sole_user, table_metadata, try_again
from orchestration.narrator import Narrator
from orchestration.settings import Settings, load_settings


class Translator(DagsterDbtTranslator):
    """Asset key = schema and table; group = layer."""

    def get_asset_key(self, dbt_resource_props: Mapping[str, Any]) -> dg.AssetKey:
        table = dbt_resource_props.get("alias") or dbt_resource_props["name"]
        return dg.AssetKey([dbt_resource_props["schema"], table])

    def get_group_name(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return str(dbt_resource_props["schema"])

    def get_owners(self, dbt_resource_props: Mapping[str, Any]) -> list[str]:
        return OWNERS

    def get_description(self, dbt_resource_props: Mapping[str, Any]) -> str:
        return transform.described(dbt_resource_props)


def events(
    context: dg.AssetExecutionContext,
    settings: Settings,
    narrator: Narrator,
    invocation: DbtCliInvocation,
) -> Iterator[Any]:
    """Follow a dbt build to its end, then yield its events, tables with rows and columns.

    The facts wait for the end because DuckDB lets nobody else in while dbt has the file open.

    Raises:
        Failure: a model or a blocking check failed; nothing is published.
        RetryRequested: another program had the warehouse open.
    """
    report = transform.Report(narrator.paced())
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
    transform.finish(settings, passed=passed, complete=not context.is_subset)
    yield from _with_facts(settings, context, found)
    if passed:
        narrator.note(f"{report.built} models and seeds built, {report.checked} checks done")
    else:
        error = transform.BuildError(report.failures(invocation.target_path))
        if error.is_lock_conflict:
            raise try_again()
        raise dg.Failure(str(error), allow_retries=False)


def _with_facts(
    settings: Settings, context: dg.AssetExecutionContext, found: list[Any]
) -> Iterator[Any]:
    keys = {key.to_python_identifier(): key for key in context.selected_asset_keys}
    tables = [(key.path[0], key.path[1]) for key in keys.values()]
    with transform.connect_read_only(settings) as connection:
        facts = transform.table_facts(connection, tables)
    for event in found:
        if isinstance(event, dg.Output):
            schema, table = keys[event.output_name].path
            metadata = {**event.metadata, **table_metadata(facts.get((schema, table)))}
            event = event.with_metadata(metadata)
        yield event


@dg.definitions
def warehouse() -> dg.Definitions:
    manifest = transform.read_manifest(load_settings())

    @dbt_assets(manifest=manifest, name="warehouse", dagster_dbt_translator=Translator(), pool=POOL)
    def build(
        context: dg.AssetExecutionContext,
        settings: dg.ResourceParam[Settings],
        narrator: dg.ResourceParam[Narrator],
        dbt: DbtCliResource,
    ) -> Iterator[Any]:
        try:
            registry.validate(settings)
        except registry.RegistryError as error:
            raise dg.Failure(str(error), allow_retries=False) from error
        with sole_user(settings, context.run_id):
            transform.begin(settings, context.run_id, complete=not context.is_subset)
            narrator.say("Building and checking the models")
            invocation = dbt.cli(["build"], context=context, raise_on_error=False)
            yield from events(context, settings, narrator, invocation)
        transform.tidy_targets(settings)

    return dg.Definitions(assets=[build])
