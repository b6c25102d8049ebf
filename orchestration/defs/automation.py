"""What starts a run: the job for everything, a daily schedule, a sensor on new files.

Both starters are on by default. They only act while Dagster's daemon runs (`make ui`), write under
WAREHOUSE_DIR alone, and queue behind a run that is on; so a laptop is not surprised, and an
unattended machine needs no click.
"""

import dagster as dg
import duckdb

from orchestration import arrivals, locks
from orchestration.settings import Settings

JOB = "refresh"
SENSOR_SECONDS = 60
ACTIVE = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]

refresh = dg.define_asset_job(
    JOB,
    selection=dg.AssetSelection.all(),
    description="Load what is new, build and check every model, publish.",
)


@dg.definitions
def automation() -> dg.Definitions:
    daily = dg.ScheduleDefinition(
        name="daily",
        job=refresh,
        cron_schedule="15 4 * * *",
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description="The whole refresh, once a day: the safety net under the sensor.",
    )

    @dg.sensor(
        name="new_files",
        job=refresh,
        minimum_interval_seconds=SENSOR_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Starts the refresh when the landing zone holds files that are not loaded.",
    )
    def new_files(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[Settings]
    ) -> dg.SensorResult | dg.SkipReason:
        active = dg.RunsFilter(job_name=JOB, statuses=ACTIVE)
        if context.instance.get_runs_count(active):
            return dg.SkipReason("a refresh is queued or running; it takes new files along")
        try:
            seen, needless = arrivals.look(settings, context.cursor)
        except (locks.LockTimeout, duckdb.IOException):
            return dg.SkipReason("the warehouse is in use; the next look comes in a minute")
        if needless:
            context.update_cursor(seen)
            return dg.SkipReason(needless)
        return dg.SensorResult(run_requests=[dg.RunRequest(run_key=seen)], cursor=seen)

    return dg.Definitions(jobs=[refresh], schedules=[daily], sensors=[new_files])
