"""A build from its beginning to its end: of everything, of a part, or of what new rows touch.

Belongs here: what happens before dbt starts and after it has ended, for each of these. Does not
belong here: deciding which (planning), calling dbt and following it (its callers).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from throughline.building import tables
from throughline.publishing import gate
from throughline.refreshing import merging, planning, selection, working
from throughline.settings import Settings
from throughline.spark import exporting, gathering, requirements

Progress = Callable[[str], None]


class ChangedError(RuntimeError):
    """What was built cannot take the place of what stands; the message says why."""


class PartError(RuntimeError):
    """A part of the models was asked for, and the engine builds all or none."""


class Build:
    """A build in the warehouse itself: of everything, or of a part that somebody chose.

    Attributes:
        taken_over: what the published files knew and the warehouse did not, in a line.
        told: what is built, and why, in a line; empty when somebody chose it.
        environment: variables for dbt, beside those of the settings.
        sees_all: whether its checks look at everything that is published.
    """

    def __init__(self, settings: Settings, taken_over: str, told: str) -> None:
        self._settings = settings
        self.taken_over = taken_over
        self.told = told
        self.environment: dict[str, str] = {}
        self.sees_all = True

    def end(
        self, outcomes: Mapping[str, str], manifest: Mapping[str, Any] | None, *, passed: bool
    ) -> str:
        """Record how it ended.

        Args:
            outcomes: how each node ended that dbt touched.
            manifest: dbt's; the one on the disk when not given.
            passed: whether all of it did well.

        Returns:
            What came of it, in a line; empty when there is nothing to say.

        Raises:
            ChangedError: what was built is not merged.
        """
        gate.finish(self._settings, outcomes, manifest)
        return ""

    def facts(
        self, built: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], tables.TableFacts]:
        """Rows and columns of the given (schema, table) pairs, of those that there are."""
        with tables.connect_read_only(self._settings) as connection:
            return tables.table_facts(connection, built)

    def close(self) -> None:
        """Call it last, however it ended."""


class Refresh(Build):
    """A build of what new rows touch, beside the warehouse; merged when all of it has passed."""

    def __init__(
        self, settings: Settings, run_id: str, taken_over: str, plan: planning.Plan
    ) -> None:
        found = plan.working_set
        assert found is not None, "a full build has none"
        super().__init__(
            settings,
            taken_over,
            f"What is new touches {found.contacts:,} of {found.all_contacts:,} contacts that are"
            " there; the others stay",
        )
        self._run_id = run_id
        self._plan = plan
        self._basis = found.basis
        self.environment = working.environment(settings)
        self.sees_all = False

    def end(
        self, outcomes: Mapping[str, str], manifest: Mapping[str, Any] | None, *, passed: bool
    ) -> str:
        """Merge. What stands is untouched where a model or a check failed."""
        if not passed:
            return ""
        assert manifest is not None, "dbt has built"
        if not gate.is_basis(self._settings, self._basis):
            raise ChangedError(
                "The code, the registry or a setting has changed while the models were built:"
                " nothing was replaced. Run again."
            )
        if lacking := gate.lacks_of_working_set(manifest, outcomes):
            raise ChangedError(
                f"dbt ended well and said nothing of {', '.join(lacking[:5])}: nothing was"
                " replaced. Run again."
            )
        gate.begin_merge(self._settings, self._run_id)
        moved = merging.merge(self._settings, manifest, data_version=self._plan.data_version)
        gate.finish_merge(self._settings, outcomes, manifest, tail=moved["contacts"][1])
        went, came = moved["conversations"]
        return f"{went:,} conversations gave way to {came:,}"

    def close(self) -> None:
        """Remove the working set."""
        working.remove(self._settings)


class SparkBuild(Build):
    """A build of everything by Spark, which is taken in when all of it has passed."""

    def __init__(self, settings: Settings, taken_over: str, tell: Progress) -> None:
        self._tell = tell
        loads = exporting.export(settings, tell)
        gathering.clear(settings)
        # What DuckDB built before would look as if it were of this build.
        tables.drop_private(settings)
        super().__init__(
            settings,
            taken_over,
            f"Everything is built, by Spark at {settings.spark_master};"
            f" {loads:,} loads were exported for it",
        )

    def end(
        self, outcomes: Mapping[str, str], manifest: Mapping[str, Any] | None, *, passed: bool
    ) -> str:
        """Take it in, and record how it ended."""
        if passed:
            assert manifest is not None, "dbt has built"
            gathering.gather(self._settings, manifest, self._tell)
        return super().end(outcomes, manifest, passed=passed)

    def facts(
        self, built: Iterable[tuple[str, str]]
    ) -> Mapping[tuple[str, str], tables.TableFacts]:
        """The same, of Spark's files; of a view, from what DuckDB has of it."""
        built = list(built)
        return {**super().facts(built), **gathering.facts(self._settings, built)}


def begin(
    settings: Settings,
    run_id: str,
    *,
    everything: bool,
    manifest: Mapping[str, Any] | None,
    chosen: selection.Selection = selection.NOTHING,
    tell: Progress = lambda line: None,
) -> Build:
    """Make ready for a call of dbt. Call it under the warehouse lock.

    Args:
        settings: where things are.
        run_id: recorded as the builder.
        everything: every model is selected: a refresh does as well, where one is possible.
        manifest: dbt's; None when it has not read the project yet.
        chosen: what a refresh builds again though nothing new touches it.
        tell: gets a short line of text where making ready, or the end, takes long.

    Raises:
        selection.SelectionError: something was chosen, and no contact is of it.
        SettingError: Spark is to build, and cannot be started here.
        PartError: Spark is to build a part: what it would build on is gone with its last session.
    """
    taken_over = gate.take_over(settings) or ""
    if settings.engine == "spark":
        if not everything:
            raise PartError("Spark builds all models in one session: select all of them")
        requirements.require(settings)
        gate.begin(settings, run_id, everything=True)
        return SparkBuild(settings, taken_over, tell)
    plan = planning.Plan(None)
    if everything and manifest:
        plan = planning.plan(settings, manifest, chosen)
    if plan.working_set is not None:
        return Refresh(settings, run_id, taken_over, plan)
    gate.begin(settings, run_id, everything=everything)
    why = f"Everything is built: {plan.reason}" if plan.reason else ""
    return Build(settings, taken_over, why)
