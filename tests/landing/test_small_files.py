"""Many small files are read as one, and nobody can tell by what is in the tables.

Belongs here: that reading them together changes nothing but what it costs, and that each stays
whole or absent. Does not belong here: what becomes of any one file (test_malformed_input.py).
"""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from landing_zone import AT_REST, LandingZone, Row, compressed

from throughline.landing import batches
from throughline.landing.inserting import Insertion
from throughline.settings import REPOSITORY

AT = "2026-03-01T10:00:00Z"
MANY = 40


def _row(chance: random.Random, number: int) -> dict[str, Any]:
    row: dict[str, Any] = {"contact_id": f"c{number}", "started_at": AT}
    for name, values in {
        "agent_id": ["a1", "a, b", 'say "hi"', "two\nlines", "", "é"],
        "started_at": [AT, "2026-03-01 10:00", "never", ""],
        "shoe_size": ["43", "", "half"],
        "project_id": ["101", "102"],
    }.items():
        if chance.random() < 0.4:
            row[name] = chance.choice(values)
    return row


def _quoted(value: object) -> str:
    text = str(value)
    return '"' + text.replace('"', '""') + '"' if set(text) & set(',"\n') else text


def _csv(rows: Sequence[Row], chance: random.Random) -> str:
    names = ["contact_id", "started_at", "agent_id", *chance.choice([[], ["shoe_size"]])]
    end = chance.choice(["\n", "\n", "\n", "\r\n"])
    lines = [",".join(names), *(",".join(_quoted(row.get(n, "")) for n in names) for row in rows)]
    return end.join(lines) + chance.choice([end, end, ""])


def _json_text(rows: Sequence[Row], chance: random.Random) -> str:
    return chance.choice(
        [
            json.dumps(rows),
            json.dumps(rows, indent=2),
            "\n".join(json.dumps(row) for row in rows),
            "\n".join(json.dumps(row, indent=1) for row in rows),
        ]
    )


ODD = {
    "a.csv": [
        "",
        "contact_id,started_at\n",
        "contact_id\nc1\n",
        f'contact_id,started_at,agent_id\nc1,{AT},"never closed\n',
        f"contact_id,started_at,agent_id\nc1,{AT}\nc2,{AT},a1,more\n",
        f'contact_id,started_at,agent_id\nc1,{AT},say "hi" there\n',
        f"contact_id,started_at,agent_id\rc1,{AT},a1\r",
        f"contact_id,started_at,agent_id\n\nc1,{AT},a1\n\n",
        f"contact_id;started_at;agent_id\nc1;{AT};a,b\n",
    ],
    "a.jsonl": [
        "",
        "{}",
        f'{{"contact_id":"c1","started_at":"{AT}"}}\nnot json\n',
        f'{{"contact_id":"c1","started_at":"{AT}","started_at":"{AT}"}}\n',
        f'{{"contact_id":1.50,"started_at":"{AT}","n":{{"deep":[1,2]}}}}\n',
        f'{{"contact_id":"c1","started_at":"{AT}","agent_id":NaN}}\n',
        f'{{"contact_id":"c\\ud800","started_at":"{AT}"}}\n',
        '{"contact_id":"c1"}\n',
    ],
    "a.json": [
        "[]",
        f'[{{"contact_id":"c1","started_at":"{AT}"}}, 7]',
        f'[{{"contact_id":"c1","started_at":"{AT}"}}',
        '{"contact_id":"c1"}',
    ],
}


def _write(zone: LandingZone, seed: int) -> None:
    chance = random.Random(seed)
    for number in range(MANY):
        rows = [_row(chance, number * 10 + place) for place in range(chance.randint(1, 3))]
        folder = chance.choice(["", "", "project_id=101/", "project_id=102/", "day=1%2F2/"])
        name, text = chance.choice(
            [
                ("a.csv", _csv(rows, chance)),
                ("a.json", _json_text(rows, chance)),
                ("a.jsonl", "".join(json.dumps(row) + "\n" for row in rows)),
            ]
        )
        if chance.random() < 0.15:
            text = chance.choice(ODD[name])
        content = text.encode() if chance.random() < 0.95 else text.encode("utf-16")
        if chance.random() < 0.2:
            content, name = compressed(content, "gz"), f"{name}.gz"
        zone.write(f"acme/contacts/{folder}{number // 8:03}/{number:03}-{name}", content)


def _tables(zone: LandingZone) -> dict[str, list[Row]]:
    return {
        "contacts": zone.rows("select * from raw.contacts order by row_id"),
        # Where DuckDB found a file is no part of what is told.
        "loads": zone.rows(
            "select * exclude (loaded_at, seconds) replace (replace(reason, ?, '') as reason)"
            " from raw.loads order by load_no",
            str(zone.settings.landing_dir),
        ),
        # An object over several lines is kept in one.
        "rejected": zone.rows(
            "select * exclude (rejected_at) replace (regexp_replace(\"row\", '\\s', '', 'g') as"
            ' "row") from raw.rejected_rows order by load_no, row_no'
        ),
        "files": zone.rows("select path, content_sha256 from raw.landing_files order by path"),
    }


@pytest.mark.parametrize("seed", range(3))
def test_small_files_give_the_same_rows_together_and_alone(
    seed: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    together, alone = LandingZone(tmp_path / "together"), LandingZone(tmp_path / "alone")
    for zone in (together, alone):
        _write(zone, seed)
    sizes: list[int] = []
    whole = Insertion.run

    def counted(self: Insertion) -> Any:
        sizes.append(len(self.parts))
        return whole(self)

    with monkeypatch.context() as patched:
        patched.setattr(Insertion, "run", counted)
        first = together.land("contacts")["contacts"]
    assert max(sizes) > 1, "nothing was read together"
    monkeypatch.setattr(batches, "FEWEST", 1_000_000)
    second = alone.land("contacts")["contacts"]

    assert _tables(together) == _tables(alone)
    first.seconds = second.seconds = 0
    assert first == second


def test_a_thousand_small_files_take_one_insertion(
    zone: LandingZone, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(1000):
        zone.write(
            f"acme/contacts/{number:04}.json",
            json.dumps({"contact_id": f"c{number}", "started_at": AT}, indent=2),
        )
    runs: list[int] = []
    whole = Insertion.run
    monkeypatch.setattr(Insertion, "run", lambda self: runs.append(len(self.parts)) or whole(self))

    summary = zone.land("contacts")["contacts"]

    assert runs == [1000]
    assert (summary.files_loaded, summary.rows_loaded) == (1000, 1000)
    assert [load["load_no"] for load in zone.loads()] == list(range(1, 1001))


def test_one_bad_file_among_small_ones_costs_nobody_else_a_row(zone: LandingZone) -> None:
    for number in range(MANY):
        text = json.dumps({"contact_id": f"c{number}", "started_at": AT})
        # DuckDB refuses what Python's parser of JSON takes: a number that no double can hold.
        zone.write(
            f"acme/contacts/{number:03}.json",
            text.replace(f'"c{number}"', "1e999") if number == 17 else text,
        )

    summary = zone.land("contacts")["contacts"]

    assert summary.files_loaded + summary.files_rejected == MANY
    [found] = zone.rows("select count(distinct contact_id) as contacts from raw.contacts")
    assert found["contacts"] >= MANY - 1


def test_equal_small_files_load_once(zone: LandingZone) -> None:
    for number in range(MANY):
        zone.write(f"acme/contacts/{number:03}.csv", f"contact_id,started_at\nc,{AT}\n")

    summary = zone.land("contacts")["contacts"]

    assert (summary.files_loaded, summary.files_unchanged) == (1, MANY - 1)
    assert zone.land("contacts")["contacts"].files_unchanged == MANY


KILLED = """
    import sys
    from throughline import landing
    from throughline.landing import loading
    from throughline.settings import load_settings

    whole = loading.remember
    def stop(*arguments):
        whole(*arguments)
        print("ready", flush=True)
        sys.stdin.read()
    loading.remember = stop
    settings = load_settings()
    connection = landing.connect(settings)
    landing.prepare(connection)
    landing.land_log(connection, settings, "contacts")
"""


def test_a_run_that_is_killed_in_a_batch_leaves_each_of_its_files_absent(zone: LandingZone) -> None:
    for number in range(MANY):
        zone.write(f"acme/contacts/{number:03}.csv", f"contact_id,started_at\nc{number},{AT}\n")
    child = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(KILLED)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=REPOSITORY,
        env={**os.environ, **zone.settings.environment(), "PYTHONPATH": str(REPOSITORY)},
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"ready\n"
    child.send_signal(signal.SIGKILL)
    child.wait()

    assert zone.loads() == []
    assert zone.rows("select count(*) as n from raw.contacts") == [{"n": 0}]
    assert zone.land("contacts")["contacts"].files_loaded == MANY


def test_a_small_file_that_is_written_meanwhile_is_noticed_by_the_next_run(
    zone: LandingZone,
) -> None:
    for number in range(MANY):
        zone.write(f"acme/contacts/{number:03}.csv", f"contact_id,started_at\nc{number},{AT}\n")
    zone.land("contacts")
    path = zone.settings.landing_dir / "acme/contacts/003.csv"
    path.write_text(f"contact_id,started_at\nd3,{AT}\n")
    os.utime(path, (AT_REST, AT_REST))

    assert zone.land("contacts")["contacts"].files_loaded == 1
