"""What a build proves, on a small graph: every order and subset in which parts can be run.

Belongs here: building.proof and the transitions of building.state, without dbt and
Dagster.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from throughline.building import proof, state
from throughline.building.report import Report
from throughline.publishing import gate
from throughline.settings import Settings

# raw -> stg (a view) -> int -> mart, and a check of the mart that also reads int.
CHAIN = {
    "model.throughline.stg": ("view", ()),
    "model.throughline.int": ("table", ("model.throughline.stg",)),
    "model.throughline.mart": ("table", ("model.throughline.int",)),
    "model.throughline.agents": ("table", ("model.throughline.stg",)),
    "test.throughline.assert_right": (
        "test",
        ("model.throughline.mart", "model.throughline.int"),
    ),
    "test.throughline.assert_shown": ("test", ("model.throughline.mart",)),
}
WARNING = "test.throughline.assert_shown"
BASIS = state.Basis("code", 3, "1/10/0")
RAW = {"raw.contacts.nothing_lost": "check nothing_lost of raw.contacts"}


def manifest(nodes: Mapping[str, tuple[str, tuple[str, ...]]]) -> dict[str, object]:
    """dbt's manifest, as far as the proof reads it."""
    return {
        "nodes": {
            name: {
                "resource_type": name.split(".")[0],
                "depends_on": {"nodes": ["source.throughline.raw.contacts", *parents]},
                "config": {
                    "materialized": kind,
                    "severity": "warn" if name == WARNING else "ERROR",
                },
            }
            for name, (kind, parents) in nodes.items()
        }
    }


GRAPH = proof.graph_of(manifest(CHAIN))


class Warehouse:
    """A record, and the steps that change it."""

    def __init__(self, graph: proof.Graph = GRAPH) -> None:
        self.graph = graph
        self.basis = BASIS
        self.built: state.BuildState | None = None

    def build(
        self, *names: str, ends: Mapping[str, str] | None = None, killed: bool = False
    ) -> Warehouse:
        """Run dbt on some nodes, named by their last word; on all when none is named."""
        self.built = state.begun(self.built, self.basis, run_id="run", everything=not names)
        if killed:
            return self
        outcomes = {
            node: "pass" if node.startswith("test") else "success"
            for node in self.graph.parents
            if not names or node.split(".")[-1] in names
        }
        for name, status in (ends or {}).items():
            [node] = [node for node in self.graph.parents if node.split(".")[-1] == name]
            outcomes[node] = status
        self.built = state.ended(
            self.built, self.graph, outcomes, fingerprint=self.basis.fingerprint, seal="built"
        )
        return self

    def check(self, holds: bool = True) -> Warehouse:
        """Run the blocking check of the raw logs."""
        self.built = state.checked(
            self.built, self.basis, run_id="run", checks=dict.fromkeys(RAW, holds)
        )
        return self

    def load(self) -> Warehouse:
        """Load another file."""
        self.basis = replace(self.basis, last_load_no=self.basis.last_load_no + 1)
        return self

    def publish(self) -> Warehouse:
        """Publish, which adds to the ledger of ids."""
        assert self.built is not None
        assert not self.lacks
        self.basis = replace(self.basis, ledger=self.basis.ledger + "+")
        self.built = state.published(self.built, self.basis, "built")
        return self

    @property
    def lacks(self) -> list[str]:
        """What a publication still needs."""
        return state.lacks(self.built, self.basis, RAW)


def test_a_whole_build_and_the_checks_of_the_logs_are_a_proof_in_either_order() -> None:
    assert Warehouse().check().build().lacks == []
    assert Warehouse().build().check().lacks == []


def test_nothing_is_proven_before_a_build_and_each_thing_that_lacks_is_named() -> None:
    assert Warehouse().lacks == ["nothing has been built yet"]
    assert Warehouse().check().lacks == ["no build has ended"]
    assert Warehouse().build().lacks == ["check nothing_lost of raw.contacts has not passed"]
    assert "model stg has not passed" in Warehouse().check().build("mart").lacks


def test_a_failed_check_is_not_passed_by_a_subset_that_does_not_hold_it() -> None:
    failed = Warehouse().check().build(ends={"assert_right": "fail"})
    assert failed.lacks == ["check assert_right has not passed"]
    assert failed.build("agents").lacks == ["check assert_right has not passed"]
    assert failed.build("assert_shown").lacks == ["check assert_right has not passed"]
    assert failed.build("stg", "int", "mart").lacks == ["check assert_right has not passed"]
    assert failed.build("assert_right").lacks == []


def test_models_that_a_failed_check_held_back_are_not_proven_by_running_it_again() -> None:
    failed = Warehouse().check()
    failed.build(ends={"int": "error", "mart": "skipped", "assert_right": "skipped"})
    assert "model mart has not passed" in failed.build("int").lacks
    assert failed.build("mart", "assert_right", "assert_shown").lacks == []


def test_a_model_built_over_a_gap_is_not_proven_and_takes_its_former_proof_away() -> None:
    warehouse = Warehouse().check().build()
    warehouse.build(ends={"int": "error", "mart": "skipped", "assert_right": "skipped"})
    # int has failed, so what mart is made of is anybody's guess.
    assert "model mart has not passed" in warehouse.build("mart").lacks
    assert "model mart has not passed" in warehouse.build("int").lacks
    assert warehouse.build("mart", "assert_right", "assert_shown").lacks == []


def test_after_new_loads_a_subset_proves_nothing_until_all_before_it_is_built_again() -> None:
    warehouse = Warehouse().check().build().publish().load()
    assert warehouse.lacks == ["logs have been loaded since the last build"]
    warehouse.check()
    assert "model mart has not passed" in warehouse.build("mart", "assert_right").lacks
    # The other end of the gap: int is still that of the loads before.
    assert "model int has not passed" in warehouse.build("stg", "mart", "assert_right").lacks
    warehouse.build("stg").build("int", "agents").build("mart")
    assert warehouse.lacks == ["check assert_right has not passed"]
    assert warehouse.build("assert_right").lacks == []


@pytest.mark.parametrize("part", ["stg", "int", "mart", "agents", "assert_right", "assert_shown"])
def test_a_part_run_again_leaves_an_up_to_date_warehouse_up_to_date(part: str) -> None:
    warehouse = Warehouse().check().build().publish().build(part).check()
    assert warehouse.lacks == []
    assert warehouse.built is not None
    assert warehouse.built.published


def test_a_killed_build_of_any_part_leaves_no_proof_even_after_another_part_passes() -> None:
    warehouse = Warehouse().check().build().publish().build("agents", killed=True)
    assert warehouse.lacks == ["a build has begun and not ended"]
    assert "model mart has not passed" in warehouse.build("agents").lacks
    assert warehouse.check().build().lacks == []


def test_a_node_that_began_and_has_no_end_is_not_proven() -> None:
    warehouse = Warehouse().check().build().build("agents", ends={"agents": "begun"})
    assert warehouse.lacks == ["model agents has not passed"]


def test_a_failed_part_takes_the_proof_away_until_it_passes() -> None:
    warehouse = Warehouse().check().build().publish()
    assert warehouse.build("int", ends={"int": "error"}).lacks == ["model int has not passed"]
    assert warehouse.build("int").lacks == []
    assert warehouse.check(holds=False).lacks == [
        "check nothing_lost of raw.contacts has not passed"
    ]
    assert warehouse.check().lacks == []


def test_dbt_that_touched_nothing_changes_nothing() -> None:
    warehouse = Warehouse().check().build().publish()
    begun = state.begun(warehouse.built, warehouse.basis, run_id="run", everything=False)
    warehouse.built = state.ended(begun, None, {}, fingerprint="code", seal="built")
    assert warehouse.lacks == []


def test_a_check_that_only_warns_blocks_nothing() -> None:
    assert Warehouse().check().build(ends={"assert_shown": "warn"}).lacks == []
    assert Warehouse().check().build("stg", "int", "mart", "agents", "assert_right").lacks == []


def test_other_code_needs_a_build_of_everything_whatever_was_mended() -> None:
    warehouse = Warehouse().check().build(ends={"assert_right": "fail"})
    warehouse.basis = replace(BASIS, fingerprint="mended")
    assert warehouse.lacks == [
        "the code, the registry or a setting has changed since the last build"
    ]
    warehouse.check().build("assert_right")
    assert "model mart has not passed" in warehouse.lacks
    assert warehouse.build().lacks == []


def test_code_that_changes_during_a_build_leaves_no_proof() -> None:
    begun = state.begun(None, BASIS, run_id="run", everything=True)
    outcomes = dict.fromkeys(GRAPH.parents, "success")
    built = state.ended(begun, GRAPH, outcomes, fingerprint="other code")
    assert state.lacks(built, BASIS, {}) == ["no build has ended"]


def test_ids_taken_over_since_the_build_need_another_one_and_the_logs_no_other_check() -> None:
    warehouse = Warehouse().check().build()
    warehouse.basis = replace(BASIS, ledger="2/20/0")
    assert warehouse.lacks == ["ids have been published since the last build"]
    assert warehouse.build().lacks == []


def test_a_file_that_another_program_wrote_is_no_proof_and_the_checks_of_the_logs_stand() -> None:
    warehouse = Warehouse().check().build().publish()
    assert state.unless_changed(warehouse.built, "built") == warehouse.built
    warehouse.built = state.unless_changed(warehouse.built, "dbt run in a terminal")
    assert warehouse.lacks == ["no build has ended"]
    assert "model mart has not passed" in warehouse.build("agents").lacks
    assert warehouse.build().lacks == []


def test_the_file_of_the_public_models_is_sealed_until_it_is_written(
    settings: Settings, tmp_path: Path
) -> None:
    seals = [gate._seal(settings)]
    settings.warehouse_dir.mkdir()
    for statement in ("create table a as select 1 as n", "update a set n = 2", "drop table a"):
        with duckdb.connect(str(settings.outgoing_file)) as connection:
            connection.execute(statement)
        seals.append(gate._seal(settings))
        # Neither a look nor a copy is a change.
        with duckdb.connect(str(settings.outgoing_file)) as connection:
            connection.execute("checkpoint")
        shutil.copyfile(settings.outgoing_file, tmp_path / "copy")
        (tmp_path / "copy").replace(settings.outgoing_file)
        assert gate._seal(settings) == seals[-1]
    assert len(set(seals)) == 4


def test_a_node_that_dbt_began_and_did_not_end_is_no_success(tmp_path: Path) -> None:
    report = Report()
    for name in ("ended", "killed"):
        node = {"unique_id": f"model.throughline.{name}", "node_name": name}
        report.take({"info": {"name": "LogStartLine"}, "data": {"node_info": node}})
    assert set(report.outcomes(tmp_path).values()) == {"begun"}
    results = [{"unique_id": "model.throughline.ended", "status": "success"}]
    (tmp_path / "run_results.json").write_text(json.dumps({"results": results}))
    assert report.outcomes(tmp_path) == {
        "model.throughline.ended": "success",
        "model.throughline.killed": "begun",
    }


def drawn(*, kind: str = "connected_components") -> proof.Graph:
    """Components, which come out under other names each time, and two models over them."""
    return proof.graph_of(
        manifest(
            {
                "model.throughline.components": (kind, ()),
                "model.throughline.assigned": ("table", ("model.throughline.components",)),
                "model.throughline.shown": ("view", ("model.throughline.components",)),
                "model.throughline.merged": (
                    "table",
                    ("model.throughline.shown", "model.throughline.assigned"),
                ),
            }
        )
    )


def test_what_is_drawn_anew_leaves_what_was_built_over_the_former_draw_proven() -> None:
    assert Warehouse(drawn()).check().build().build("components").lacks == []


def test_a_model_over_two_draws_of_the_same_is_not_proven() -> None:
    warehouse = Warehouse(drawn()).check().build().build("components")
    # By way of a view it sees the new names, in the table the former ones.
    assert warehouse.build("merged").lacks == ["model merged has not passed"]
    assert warehouse.build("assigned").build("merged").lacks == []
    plain = Warehouse(drawn(kind="table")).check().build().build("components", "merged")
    assert plain.lacks == []


def test_what_lacks_is_told_in_a_few_lines() -> None:
    many = {f"model.throughline.m{number}": ("table", ()) for number in range(9)}
    warehouse = Warehouse(proof.graph_of(manifest(many))).check()
    told = warehouse.build(ends={f"m{number}": "error" for number in range(9)}).lacks
    assert told[0] == "model m0 has not passed"
    assert told[-1] == "and 4 more"
    assert len(told) == 6


def test_the_record_is_read_as_it_was_written_and_a_damaged_one_is_none(settings: Settings) -> None:
    warehouse = Warehouse().check().build().publish()
    assert warehouse.built is not None
    state.write(settings, warehouse.built)
    assert state.read(settings) == warehouse.built
    [record] = settings.warehouse_dir.glob("*.json")
    for content in ("", "[]", "{}", '{"status": "passed"}', record.read_text()[:-20]):
        record.write_text(content)
        assert state.read(settings) is None
    state.forget(settings)
    assert state.read(settings) is None
