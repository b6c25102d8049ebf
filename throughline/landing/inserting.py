"""The rows of one file, or of many small ones: into the raw table, or kept with a reason.

Belongs here: the statements that insert and count rows. Does not belong here: reading a format, or
when a transaction begins and ends.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import duckdb

from throughline.engine.sql import Bindings, identifier, sql
from throughline.landing.conversion import (
    Check,
    checks,
    local_times,
    placeholder_reason,
    placeholder_times,
    prepared,
)
from throughline.landing.ledger import Counts, now, one_number
from throughline.landing.logs import Log
from throughline.landing.parts import Part, placed, unknown_folders, unlike_folder
from throughline.landing.readers import Source

# The filter on bad rows stays above the conversions: moved below, each would be done twice. The
# counts by load number need it the other way round.
KEEP_FILTERS_IN_PLACE = "set disabled_optimizers = 'filter_pushdown'"
MOVE_FILTERS = "reset disabled_optimizers"


@dataclass(frozen=True)
class Insertion:
    """Rows on their way into the raw tables.

    Attributes:
        connection: in a transaction.
        log: the log that the files belong to.
        parts: the files, of one source, their load numbers one after the other.
        source: all of them as one query.
        vocabulary: from `load_vocabulary`.
    """

    connection: duckdb.DuckDBPyConnection
    log: Log
    parts: Sequence[Part]
    source: Source
    vocabulary: Mapping[str, Mapping[str, str]]

    def run(self) -> list[Counts]:
        """Insert all rows, each where it belongs. Gives what became of each part.

        The rows read were counted apart from the rows inserted: whoever calls this compares them.
        After a failure the connection needs `MOVE_FILTERS`.
        """
        self.connection.execute(KEEP_FILTERS_IN_PLACE)
        loaded = self.insert_rows()
        rejected = self.insert_broken()
        if loaded + rejected != self.source.rows_read:
            rejected += self.insert_rejected()
        self.connection.execute(MOVE_FILTERS)
        return self._counts(rejected > 0)

    def insert_rows(self) -> int:
        """Insert the good rows, and give their number."""
        bindings = Bindings()
        shapes = self._placed.shapes
        # By name: a warehouse that an older version made has its newer columns at the end.
        filled = [column.name for column in self.log.columns if column.name in shapes]
        return self._changed(
            sql(
                """
                insert into raw.@{log} (
                    @{columns}source, row_id, load_no, local_times, placeholder_times, extra
                )
                select @{values}@{source}, (load_no << 32) + row_no, load_no, @{local_times},
                    @{placeholder_times}, extra
                from (@{prepared})
                where @{problem} is null
                """,
                log=self.log.name,
                columns="".join(f"{identifier(name)}, " for name in filled),
                values="".join(f"out_{name}, " for name in filled),
                source=bindings.bind(self.parts[0].file.source),
                local_times=local_times(self.log, shapes),
                placeholder_times=placeholder_times(self.log, shapes),
                prepared=prepared(self.log, self._placed.query(bindings, False), shapes),
                problem=_problem(self._checks(bindings)),
            ),
            bindings,
        )

    def insert_rejected(self) -> int:
        """Keep the rows that fail a check, each with the first that it fails; give their number."""
        bindings = Bindings()
        found = self._checks(bindings)
        values = " ".join(
            f"when {number} then {check.value}" for number, check in enumerate(found, start=1)
        )
        return self._changed(
            sql(
                """
                insert into raw.rejected_rows
                select load_no, @{source}, @{log}, @{paths}[part_no], row_no,
                    @{columns}[problem], case problem @{values} end, @{reasons}[problem],
                    @{remedies}[problem], "row", @{now}
                from (select *, @{problem} as problem from (@{prepared}))
                where problem is not null
                """,
                **self._place(bindings),
                columns=bindings.bind([check.column for check in found]),
                values=values,
                reasons=bindings.bind([check.reason for check in found]),
                remedies=bindings.bind([check.remedy for check in found]),
                prepared=prepared(
                    self.log, self._placed.query(bindings, True), self._placed.shapes
                ),
                problem=_problem(found),
            ),
            bindings,
        )

    def insert_broken(self) -> int:
        """Keep the records that could not be taken apart, and give their number."""
        broken = self.source.broken
        if broken is None or not self.source.broken_rows:
            return 0
        bindings = Bindings()
        return self._changed(
            sql(
                """
                insert into raw.rejected_rows
                select @{load_no}, @{source}, @{log}, @{paths}[1], row_no, column_name, value,
                    reason, remedy, "row", @{now}
                from read_json(@{broken}, format = 'newline_delimited',
                    maximum_object_size = @{size}, hive_partitioning = false, columns = {
                        row_no: 'bigint', column_name: 'varchar', value: 'varchar',
                        reason: 'varchar', remedy: 'varchar', row: 'varchar'
                    })
                """,
                **self._place(bindings),
                # A file that is taken apart carefully is the only one.
                load_no=bindings.bind(self.parts[0].load_no),
                broken=bindings.bind(str(broken)),
                size=str(self.source.broken_longest + 1024),
            ),
            bindings,
        )

    def _checks(self, bindings: Bindings) -> list[Check]:
        return checks(self.log, self._placed.shapes, self.vocabulary, bindings)

    def _place(self, bindings: Bindings) -> dict[str, str]:
        return {
            "source": bindings.bind(self.parts[0].file.source),
            "log": bindings.bind(self.log.name),
            "paths": bindings.bind([part.file.path for part in self.parts]),
            "now": bindings.bind(now()),
        }

    @cached_property
    def _placed(self) -> Source:
        return placed(self.log, self.source, self.parts)

    def _changed(self, statement: str, bindings: Bindings) -> int:
        return one_number(self.connection, statement, bindings.values)

    def _counts(self, has_rejected: bool) -> list[Counts]:
        """What became of each part, counted in the tables."""
        loaded = self._by_load(
            "select load_no, count(*), count(*) filter (local_times <> 0), "
            "sum(bit_count(placeholder_times)), count(*) filter (@{unlike}) "
            "from raw.@{log} where @{here} group by load_no"
        )
        rejected = (
            self._by_load(
                "select load_no, count(*), count(*) filter (list_contains(@{reasons}, reason)) "
                "from raw.rejected_rows where @{here} group by load_no"
            )
            if has_rejected
            else {}
        )
        unknown = self._count_unknown()
        counts = []
        for part in self.parts:
            rows, local, optional, unlike = loaded.get(part.load_no, (0, 0, 0, 0))
            rejections, required = rejected.get(part.load_no, (0, 0))
            counts.append(
                Counts(
                    rows_read=part.rows,
                    rows_loaded=rows,
                    rows_rejected=rejections,
                    rows_local_time=local,
                    placeholder_times=optional + required,
                    rows_unlike_folder=unlike,
                    unknown_columns=unknown.get(part.load_no, {}),
                )
            )
        return counts

    def _by_load(self, statement: str) -> dict[int, tuple[int, ...]]:
        bindings = Bindings()
        placeholders = [placeholder_reason(name) for name in self.log.timestamp_bits]
        first, last = self.parts[0].load_no, self.parts[-1].load_no
        rows = self.connection.execute(
            sql(
                statement,
                log=self.log.name,
                here=f"load_no between {bindings.bind(first)} and {bindings.bind(last)}",
                **(
                    {"unlike": self._unlike_folder(bindings)}
                    if "@{unlike}" in statement
                    else {"reasons": bindings.bind(placeholders)}
                ),
            ),
            bindings.values,
        ).fetchall()
        return {int(load_no): tuple(map(int, numbers)) for load_no, *numbers in rows}

    def _unlike_folder(self, bindings: Bindings) -> str:
        """SQL that is true for a row that says otherwise than the folders of its file."""
        terms = []
        first = self.parts[0].load_no
        for name in unlike_folder(self.log, self.source, self.parts[0].file):
            said = [unlike_folder(self.log, self.source, part.file)[name] for part in self.parts]
            kind = self.log.column(name).kind.sql_type
            terms.append(
                f"{identifier(name)} is distinct from "
                f"try_cast({bindings.bind(said)}[load_no - {bindings.bind(first)} + 1] as {kind})"
            )
        return " or ".join(terms) or "false"

    def _count_unknown(self) -> dict[int, dict[str, int]]:
        """By load, the rows with a value, by name of a column that the log does not have."""
        if not self._placed.unknown:
            return {}
        counts = {
            part.load_no: dict.fromkeys(
                sorted([*part.unknown, *unknown_folders(self.log, part.file, part.unknown)]), 0
            )
            for part in self.parts
        }
        bindings = Bindings()
        first, last = self.parts[0].load_no, self.parts[-1].load_no
        counted = self.connection.execute(
            sql(
                """
                select load_no, name, count(*)
                from (
                    select load_no, unnest(json_keys(extra)) as name from raw.@{log}
                    where load_no between @{first} and @{last} and extra is not null
                )
                group by load_no, name order by load_no, name
                """,
                log=self.log.name,
                first=bindings.bind(first),
                last=bindings.bind(last),
            ),
            bindings.values,
        ).fetchall()
        for load_no, name, rows in counted:
            counts[int(load_no)][str(name)] = int(rows)
        return counts


def _problem(found: list[Check]) -> str:
    """SQL that gives the number of the first check that a row fails, or null."""
    cases = " ".join(
        f"when {check.condition} then {number}" for number, check in enumerate(found, start=1)
    )
    return f"case {cases} end"
