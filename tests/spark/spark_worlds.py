"""What Spark built, and what DuckDB makes of the same raw rows.

Belongs here: building both, and comparing. Does not belong here: what is right (the tests of
DuckDB's).
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import published_sample
from golden_stages import STAGES, golden_pipeline, write_stage

from throughline import landing
from throughline.settings import Settings, load_settings

Manifest = dict[str, Any]
SHOWN = 3
# Of the sample's models these have more rows: they are views in the published file.
VIEWS_ABOVE = 2_500


@dataclass(frozen=True)
class Built:
    """Two warehouses with the same raw rows.

    Attributes:
        zone: the landing zone of both.
        folder: that of Spark.
        said: by the run that built it.
        by_spark, by_duckdb: the published manifests.
        other: the folder of DuckDB.
        given: the settings beside the folders.
    """

    zone: Path
    folder: Path
    said: str
    by_spark: Manifest
    other: Path
    by_duckdb: Manifest
    given: dict[str, str]

    @property
    def settings(self) -> Settings:
        """Of the warehouse that Spark built."""
        folders = {"LANDING_DIR": str(self.zone), "WAREHOUSE_DIR": str(self.folder)}
        return load_settings({**folders, **self.given})

    def rebuild(self, master: str, tell: Callable[[str], object]) -> str:
        """Build all of it by Spark once more."""
        return published_sample.publish(
            self.zone,
            self.folder,
            command="rebuild",
            tell=tell,
            **{**self.given, "SPARK_MASTER": master},
        )

    def differences(self) -> list[str]:
        """What differs between the two, by model, from their Parquet files; nothing when equal."""
        found = []
        with duckdb.connect() as connection:
            models = {(model["schema"], model["name"]): model for model in self.by_duckdb["models"]}
            spark = {(model["schema"], model["name"]): model for model in self.by_spark["models"]}
            if models.keys() != spark.keys():
                found.append(f"other models: {models.keys() ^ spark.keys()}")
            for name in sorted(models.keys() & spark.keys()):
                if models[name]["columns"] != spark[name]["columns"]:
                    found.append(f"{name}: {models[name]['columns']} {spark[name]['columns']}")
                sides = {
                    "duckdb": _read(self.other, models[name]),
                    "spark": _read(self.folder, spark[name]),
                }
                for one, another in (("duckdb", "spark"), ("spark", "duckdb")):
                    rows = connection.execute(
                        f"(from {sides[one]}) except all (from {sides[another]})"
                    ).fetchall()
                    if rows:
                        found.append(f"{name}: {len(rows)} rows only of {one}: {rows[:SHOWN]}")
        return found


def _read(folder: Path, model: Manifest) -> str:
    published = load_settings({"WAREHOUSE_DIR": str(folder)}).published_dir
    files = ", ".join(f"'{published / file['path']}'" for file in model["parquet"]["files"])
    return f"read_parquet([{files}])"


def manifest(folder: Path) -> Manifest:
    """What is published there."""
    file = load_settings({"WAREHOUSE_DIR": str(folder)}).published_dir / "manifest.json"
    content: Manifest = json.loads(file.read_bytes())
    return content


def _land(settings: Settings) -> None:
    """Load what is new, and no more: what is built twice has to have been loaded once."""
    with landing.connect(settings) as connection:
        landing.prepare(connection)
        for log in landing.LOGS:
            landing.land_log(connection, settings, log, run_id="landed")


def _both(zone: Path, folder: Path, given: dict[str, str]) -> Built:
    """Load what is new, then let Spark build it, and DuckDB in a copy."""
    _land(load_settings({"LANDING_DIR": str(zone), "WAREHOUSE_DIR": str(folder), **given}))
    other = folder.with_name("by_duckdb")
    shutil.copytree(folder, other, symlinks=True)
    said = published_sample.publish(zone, folder, **given)
    by_duckdb = {**given, "ENGINE": "duckdb", "REFRESHES": "off"}
    published_sample.publish(zone, other, **by_duckdb)
    return Built(zone, folder, said, manifest(folder), other, manifest(other), given)


def built_sample(home: Path, master: str) -> Built:
    """The sample as `published_sample` publishes it, the second time by Spark."""
    zone, folder = home / "landing", home / "by_spark"
    published_sample.without_transfers(zone)
    published_sample.publish(zone, folder)
    published_sample.with_transfers(zone)
    views = {"SNAPSHOT_ROWS": str(VIEWS_ABOVE)}
    return _both(zone, folder, {"ENGINE": "spark", "SPARK_MASTER": master, **views})


def built_golden(home: Path) -> Built:
    """The golden scenarios: the first stage by DuckDB, then all others at once by Spark."""
    pipeline = golden_pipeline(home / "golden")
    zone, folder = pipeline.settings.landing_dir, home / "by_spark"
    registry = {"REGISTRY_DIR": str(pipeline.settings.registry_dir)}
    write_stage(pipeline, 0, name="stage_0", fmt="csv")
    published_sample.publish(zone, folder, **registry)
    for stage in range(1, STAGES):
        write_stage(pipeline, stage, name=f"stage_{stage}", fmt="csv")
    return _both(zone, folder, {"ENGINE": "spark", "SPARK_MASTER": "local[2]", **registry})
