"""What starts a run, and what tells how they go: the job for everything, a daily schedule, a sensor
on new files, a sensor on failed and overdue runs.

All are on by default. They only act while Dagster's daemon runs (`make ui`), write under
WAREHOUSE_DIR alone, and queue behind a run that is on; so a laptop is not surprised, and an
unattended machine needs no click.
"""

import time
from collections.abc import Iterator

import dagster as dg
import duckdb

from orchestration import alerts, attempts, hooks, instance, outcomes
from throughline import engine
from throughline.engine import locks
from throughline.settings import Settings

JOB, REPLAY_JOB = "refresh", "replay"
SENSOR_SECONDS = 60
ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.failure_hook(required_resource_keys={"settings"})
def keep_failure(context: dg.HookContext) -> None:
    """Keep what failed for `throughline status`, whoever started the run."""
    error = context.op_exception
    if isinstance(error, dg.DagsterExecutionInterruptedError):
        return  # Somebody stopped it: nothing is to be mended.
    told = getattr(error, "description", None) or f"{type(error).__name__}: {error}"
    settings = context.resources.settings
    outcome = outcomes.record(settings, f"Step {context.op.name} failed:\n{told}")
    if hooks.configured(settings):
        run = context.instance.get_run_by_id(context.run_id)
        if run is None or not outcomes.BY_COMMAND.items() <= run.tags.items():
            # The command tells by itself, on the terminal.
            alerts.say(settings, outcome, context.log.warning)


refresh = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.all(),
    description="Load what is new, build and check every model, publish.",
    hooks={keep_failure},
)


replay = dg.define_asset_job(
    REPLAY_JOB,
    selection=dg.AssetSelection.all(),
    description=(
        "As the refresh, and builds a source, a period or one conversation again from the raw logs:"
        " give it in the configuration of the step `warehouse`."
    ),
    hooks={keep_failure},
)


def upkeep(settings: Settings, home: dg.DagsterInstance) -> Iterator[str]:
    """What nobody else does while only the daemon runs; says what it did.

    A dead run would block the daemon's queue, and the history would grow for ever.
    """
    for run_id in instance.end_dead_runs(settings, home):
        told = f"run {run_id}, whose process was killed"
        outcomes.record(
            settings,
            f"Ended {told}: by the system for lack of memory, or by somebody. The next run takes up"
            " where it stopped.",
        )
        yield f"ended {told}"
    if forgotten := instance.forget_old_runs(settings, home):
        yield f"deleted the {len(forgotten)} oldest runs from the history (RUNS_KEPT)"


def _last_run(home: dg.DagsterInstance) -> tuple[float, str]:
    """When the last refresh ended (0 when it has not), and what to call it."""
    for record in home.get_run_records(dg.RunsFilter(job_name=JOB), limit=1):
        run = record.dagster_run
        return record.end_time or 0, f"run {run.run_id[:8]}, {run.status.value.lower()}"
    return 0, ""


@dg.definitions
def automation() -> dg.Definitions:
    @dg.schedule(
        name="daily",
        job=refresh,
        cron_schedule="15 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The whole refresh, once a day: the safety net under the sensor.",
    )
    def daily(
        context: dg.ScheduleEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.RunRequest:
        for line in upkeep(settings, context.instance):
            context.log.info(line)
        return dg.RunRequest()

    @dg.sensor(
        name="new_files",
        job=refresh,
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Starts the refresh when the landing zone holds files that are not loaded, and tries"
            " again, less and less often, while what is loaded is not published."
        ),
    )
    def new_files(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SensorResult | dg.SkipReason:
        for line in upkeep(settings, context.instance):
            context.log.info(line)
        if context.instance.get_runs_count(dg.RunsFilter(statuses=ACTIVE)):
            return dg.SkipReason("a run is queued or on; a refresh takes new files along")
        try:
            found = attempts.look(settings)
        except locks.LockTimeout:
            return dg.SkipReason("the warehouse is in use; the next look comes in a minute")
        except duckdb.IOException as error:
            return dg.SkipReason(engine.explained(settings, error))
        memory = attempts.Memory.of(context.cursor)
        ended, called = _last_run(context.instance)
        memory, needless = attempts.decide(
            memory, found, now=time.time(), last_run_ended=ended, last_run=called
        )
        if needless:
            context.update_cursor(memory.cursor)
            if memory.tries or found.emptied:
                context.log.warning(needless)
            return dg.SkipReason(needless)
        # No two tries have the same key: Dagster passes over a key that it has seen.
        request = dg.RunRequest(run_key=memory.cursor)
        return dg.SensorResult(run_requests=[request], cursor=memory.cursor)

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=(
            "Tells whoever the settings name (ALERT_…) that a run failed, that none has gone well"
            " for FRESHNESS_HOURS, and that all is well again: once each."
        ),
    )
    def watch(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SkipReason:
        lines: list[str] = []
        alerts.say(settings, None, lines.append)
        return dg.SkipReason("; ".join(lines) or "there is nothing to tell")

    return dg.Definitions(jobs=[refresh, replay], schedules=[daily], sensors=[new_files, watch])
