"""Claims about the yardstick and the measuring; the benchmarks themselves take minutes."""

import sys
from pathlib import Path

import duckdb
import pytest

from bench import report
from bench.baseline import write_marts
from bench.cases import Case
from bench.comparison import differences, row_counts
from bench.processes import ProgramError, run
from bench.scipy_components import label
from seeds.generator.__main__ import main as generate


@pytest.fixture(scope="module")
def landing(tmp_path_factory):
    """Logs of a thousand contacts."""
    folder = tmp_path_factory.mktemp("bench") / "landing"
    arguments = ["--contacts", "1000", "--messages-per-contact", "3", "--out", str(folder)]
    assert generate([*arguments, "--threads", "1"]) == 0
    return folder


def written(landing: Path, folder: Path, components: str) -> Path:
    registry = Path(__file__).parents[2] / "seeds" / "registry"
    database = folder / f"{components}.duckdb"
    write_marts(landing, registry, database, components=components, memory_limit="500MB", threads=1)
    return database


def test_the_yardstick_writes_the_same_with_either_component_search(landing, tmp_path):
    contraction = written(landing, tmp_path, "contraction")
    recursion = written(landing, tmp_path, "recursion")
    assert differences(contraction, recursion, "500MB") == []
    rows = row_counts(contraction)
    assert rows["marts.contacts"] == 1000
    assert rows["marts.messages"] == 3000


def test_the_comparison_names_the_column_that_differs(landing, tmp_path):
    one, other = written(landing, tmp_path, "contraction"), written(landing, tmp_path, "recursion")
    with duckdb.connect(str(other)) as connection:
        connection.execute("update marts.contacts set channel = 'fax' where contact_no = 2")
    found = [str(difference) for difference in differences(one, other, "500MB")]
    assert len(found) == 1
    assert found[0].startswith("marts.contacts: channel differs in ")


def test_scipy_labels_each_component_once(tmp_path):
    database = tmp_path / "edges.duckdb"
    with duckdb.connect(str(database)) as connection:
        connection.execute(
            "create table edges as from (values (1::bigint, 2::bigint), (2, 9), (5, 6)) as"
            " edges(node_a, node_b)"
        )
    label(database, memory_limit="500MB", threads=1)
    with duckdb.connect(str(database)) as connection:
        found = connection.execute(
            "select list(node order by node) from labels group by component order by 1"
        ).fetchall()
    assert found == [([1, 2, 9],), ([5, 6],)]


def test_a_measured_program_costs_time_and_memory(tmp_path):
    program = "held = bytearray(60_000_000)\nimport time\ntime.sleep(0.6)"
    cost = run([sys.executable, "-c", program], log=tmp_path / "log", cwd=tmp_path)
    assert cost.status == 0
    assert cost.wall_seconds >= 0.6
    assert cost.peak_bytes > 50_000_000


def test_a_program_is_stopped_at_its_limit_with_its_children(tmp_path):
    sleep = "[sys.executable, '-c', 'import time; time.sleep(60)']"
    program = f"import subprocess, sys; subprocess.run({sleep})"
    cost = run(
        [sys.executable, "-c", program], log=tmp_path / "log", cwd=tmp_path, limit_seconds=0.3
    )
    assert cost.status is None
    assert cost.wall_seconds < 10


def test_a_program_that_fails_shows_its_last_words(tmp_path):
    with pytest.raises(ProgramError, match="the last words"):
        run(
            [sys.executable, "-c", "raise SystemExit('the last words')"],
            log=tmp_path / "log",
            cwd=tmp_path,
        )


def test_a_report_line_is_never_longer_than_a_hundred_characters():
    line = "  " + ", ".join(f"step_{number} 12.3 s" for number in range(40))
    assert max(map(len, report._wrap(line))) <= 100
    assert Case(1_000_000, 8).disk_bytes > Case(1_000_000).disk_bytes
