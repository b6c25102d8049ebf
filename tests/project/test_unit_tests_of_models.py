"""The dbt unit tests, run: business rules against the SQL of single models.

Belongs here: running them on empty tables. Does not belong here: the rules, which stand in the YAML
beside each model.
"""

from __future__ import annotations

import json
import subprocess

from project_files import Project

from throughline import landing
from throughline.building import process
from throughline.settings import Settings


def test_every_model_keeps_the_rules_that_its_unit_tests_state(
    settings: Settings, project: Project
) -> None:
    with landing.connect(settings) as connection:
        landing.prepare(connection)
    # One pass: each model's unit tests, then the model itself, empty, for those that read it.
    finished = subprocess.run(
        [str(process.executable(settings)), "build", "--exclude-resource-type", "test"],
        cwd=settings.dbt_project_dir,
        env=process.environment(settings),
        capture_output=True,
        text=True,
        check=False,
    )
    assert finished.returncode == 0, finished.stdout[finished.stdout.find("Completed with") :]
    results = json.loads((settings.dbt_target_dir / "run_results.json").read_bytes())["results"]
    passed = {
        result["unique_id"].split(".")[-1] for result in results if result["status"] == "pass"
    }
    assert passed == set(project.unit_tests)
