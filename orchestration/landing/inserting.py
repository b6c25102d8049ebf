"""The rows of one file: into the raw table, or kept with a reason.

Belongs here: the statements that insert and count rows. Does not belong here: reading a format, or
when a transaction begins and ends.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import duckdb

from orchestration.landing.conversion import Check, checks, local_times, prepared
from orchestration.landing.files import LandedFile
from orchestration.landing.ledger import Counts, now, one_number
from orchestration.landing.logs import Log
from orchestration.landing.readers import Source
from orchestration.landing.sql import Bindings, sql

# The filter on bad rows stays above the conversions: moved below, each would be done twice. The
# counts by load number need it the other way round.
KEEP_FILTERS_IN_PLACE = "set disabled_optimizers = 'filter_pushdown'"
MOVE_FILTERS = "reset disabled_optimizers"


@dataclass(frozen=True)
class Insertion:
    """The rows of one file on their way into the raw tables.

    Attributes:
        connection: in a transaction.
        log: the log that the file belongs to.
        file: the file.
        source: the file as a query.
        load_no: the number of this load.
        vocabulary: from `load_vocabulary`.
    """

    connection: duckdb.DuckDBPyConnection
    log: Log
    file: LandedFile
    source: Source
    load_no: int
    vocabulary: Mapping[str, Mapping[str, str]]

    def run(self) -> Counts:
        """Insert all rows, each where it belongs.

        The rows read were counted apart from the rows inserted: whoever calls this compares them.
        After a failure the connection needs `MOVE_FILTERS`.
        """
        self.connection.execute(KEEP_FILTERS_IN_PLACE)
        loaded = self.insert_rows()
        rejected = self.insert_broken()
        if loaded + rejected != self.source.rows_read:
            rejected += self.insert_rejected()
        self.connection.execute(MOVE_FILTERS)
        return Counts(
            rows_read=self.source.rows_read,
            rows_loaded=loaded,
            rows_rejected=rejected,
            rows_local_time=self._count_local_times(),
            unknown_columns=self._count_unknown(),
        )

    def insert_rows(self) -> int:
        """Insert the good rows, and give their number."""
        bindings = Bindings()
        shapes = self.source.shapes
        values = [
            f"out_{column.name}" if column.name in shapes else "null" for column in self.log.columns
        ]
        return self._changed(
            sql(
                """
                insert into raw.@{log}
                select @{values}, @{source}, (cast(@{load_no} as bigint) << 32) + row_no,
                    @{load_no}, @{local_times}, extra
                from (@{prepared})
                where @{problem} is null
                """,
                log=self.log.name,
                values=", ".join(values),
                source=bindings.bind(self.file.source),
                load_no=bindings.bind(self.load_no),
                local_times=local_times(self.log, shapes),
                prepared=prepared(self.log, self.source.query(bindings, False), shapes),
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
                select @{load_no}, @{source}, @{log}, @{path}, row_no, @{columns}[problem],
                    case problem @{values} end, @{reasons}[problem], @{remedies}[problem], "row",
                    @{now}
                from (select *, @{problem} as problem from (@{prepared}))
                where problem is not null
                """,
                **self._place(bindings),
                columns=bindings.bind([check.column for check in found]),
                values=values,
                reasons=bindings.bind([check.reason for check in found]),
                remedies=bindings.bind([check.remedy for check in found]),
                prepared=prepared(self.log, self.source.query(bindings, True), self.source.shapes),
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
                select @{load_no}, @{source}, @{log}, @{path}, row_no, column_name, value, reason,
                    remedy, "row", @{now}
                from read_json(@{broken}, format = 'newline_delimited',
                    maximum_object_size = @{size}, hive_partitioning = false, columns = {
                        row_no: 'bigint', column_name: 'varchar', value: 'varchar',
                        reason: 'varchar', remedy: 'varchar', row: 'varchar'
                    })
                """,
                **self._place(bindings),
                broken=bindings.bind(str(broken)),
                size=str(self.source.broken_longest + 1024),
            ),
            bindings,
        )

    def _checks(self, bindings: Bindings) -> list[Check]:
        return checks(self.log, self.source.shapes, self.vocabulary, bindings)

    def _place(self, bindings: Bindings) -> dict[str, str]:
        return {
            "load_no": bindings.bind(self.load_no),
            "source": bindings.bind(self.file.source),
            "log": bindings.bind(self.file.log),
            "path": bindings.bind(self.file.path),
            "now": bindings.bind(now()),
        }

    def _changed(self, statement: str, bindings: Bindings) -> int:
        return one_number(self.connection, statement, bindings.values)

    def _count_local_times(self) -> int:
        return one_number(
            self.connection,
            sql(
                "select count(*) from raw.@{log} where load_no = $load_no and local_times <> 0",
                log=self.log.name,
            ),
            {"load_no": self.load_no},
        )

    def _count_unknown(self) -> dict[str, int]:
        if not self.source.unknown:
            return {}
        counted = self.connection.execute(
            sql(
                """
                select name, count(*)
                from (
                    select unnest(json_keys(extra)) as name from raw.@{log}
                    where load_no = $load_no and extra is not null
                )
                group by name order by name
                """,
                log=self.log.name,
            ),
            {"load_no": self.load_no},
        ).fetchall()
        counts = dict.fromkeys(sorted(self.source.unknown), 0)
        counts.update({str(name): int(rows) for name, rows in counted})
        return counts


def _problem(found: list[Check]) -> str:
    """SQL that gives the number of the first check that a row fails, or null."""
    cases = " ".join(
        f"when {check.condition} then {number}" for number, check in enumerate(found, start=1)
    )
    return f"case {cases} end"
