"""Later deliveries of a generated world: what arrives after its first logs.

Belongs here: the files of a delivery. Does not belong here: what a contact is (seeds/generator).

A delivery continues the world by contact number: the same rates, ids and seed, later days. One in a
hundred of its conversations comes late, on any day of the world before. For each thousand of its
contacts one old transfer is delivered at last, which makes two old conversations one.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import duckdb

from seeds.generator.stories import DAY
from seeds.generator.volume import Volume, connect, stride, write
from throughline.engine.sql import sql

LATE_PER_MILLE = 10
CONTACTS_PER_MERGE = 1_000
# Contacts among which one is looked for that ended its conversation: no chain is longer.
_LOOKED_AT = 64

# The macros of volume.sql give the rows; what comes late is moved by whole days.
_LATE = """
create or replace temp table late as
select contact_id(number) as contact_id,
    to_days((
        case when per_mille(first_number, 40) < {late:d}
            then 1 + below(first_number, 41, {days:d}) else 0
        end
    )::integer) as earlier
from contact_facts({low:d}, {high:d})
"""
# By log: the contact that a row belongs to, and its times.
_MOVED = {
    "contacts": ("contact_id", ("started_at", "answered_at", "ended_at", "updated_at")),
    "transfers": ("from_contact_id", ("requested_at", "updated_at")),
    "messages": ("contact_id", ("sent_at",)),
    "ratings": ("contact_id", ("answered_at",)),
    "transactions": ("contact_id", ("occurred_at",)),
}
# The last contact of an old conversation was handed over to the first of the next one.
_MERGING = """
select
    'late-' || number as transfer_id,
    contact_id(number) as from_contact_id,
    contact_id(number + 1) as to_contact_id,
    instant(ended) as requested_at,
    'manual' as kind,
    'agent' as target_kind,
    'accepted' as outcome,
    instant(ended) as updated_at
from contact_facts({low:d}, {high:d})
where not is_transferred_out and not is_snoozed and not is_open
order by number
limit 1
"""


@dataclass(frozen=True)
class World:
    """First logs, and equal deliveries after them.

    Attributes:
        first: the first logs.
        contacts: of each delivery.
        deliveries: how many there are.
    """

    first: Volume
    contacts: int
    deliveries: int

    @property
    def merges(self) -> int:
        """Pairs of old conversations that each delivery makes one."""
        return max(1, self.contacts // CONTACTS_PER_MERGE)


def write_delivery(world: World, number: int, landing: Path) -> None:
    """Write the files of a delivery beside those of the first logs.

    Args:
        world: what was delivered first.
        number: from 0.
        landing: the landing zone.
    """
    first = world.first
    low = first.contacts + number * world.contacts
    high = low + world.contacts
    total = first.contacts + world.deliveries * world.contacts
    logs = [log for log in _MOVED if log != "messages" or first.messages_per_contact]
    # Days go on at the pace of the first logs.
    span = first.period.days * DAY * total // first.contacts
    with connect(first) as connection:
        connection.execute(f"set variable total = {total:d}::bigint")
        connection.execute(f"set variable span_seconds = {span:d}::bigint")
        connection.execute(
            _LATE.format(late=LATE_PER_MILLE, days=first.period.days, low=low, high=high)
        )
        for log in logs:
            query = _moved(log, low, high)
            if log == "transfers":
                query += _merging(connection, world, number)
            folder = landing / first.source / log
            folder.mkdir(parents=True, exist_ok=True)
            write(connection, query, folder / f"delivery_{number:05d}.parquet")


def _moved(log: str, low: int, high: int) -> str:
    holder, times = _MOVED[log]
    moved = ", ".join(
        f"given.{time} - coalesce(late.earlier, to_days(0)) as {time}" for time in times
    )
    return sql(
        "select given.* replace (@{moved}) from @{log}_between(@{low}, @{high}) as given"
        " left join late on given.@{holder} = late.contact_id",
        moved=moved,
        log=log,
        low=str(low),
        high=str(high),
        holder=holder,
    )


def _merging(connection: duckdb.DuckDBPyConnection, world: World, number: int) -> str:
    """SQL of the transfers that come at last, each from a block of old contacts of its own."""
    blocks = world.first.contacts // _LOOKED_AT
    connection.execute("create or replace temp table merging as " + _MERGING.format(low=0, high=0))
    for index in range(number * world.merges, (number + 1) * world.merges):
        # The world's last numbers are left out: the contact after them is in no file yet.
        low = (index * stride(blocks)) % blocks * _LOOKED_AT
        connection.execute(
            "insert into merging " + _MERGING.format(low=low, high=low + _LOOKED_AT - 1)
        )
    return " union all by name select * from merging"
