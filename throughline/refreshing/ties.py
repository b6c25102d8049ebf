"""What hangs together, whatever came of it: every pair of things that any row ever named together.

Belongs here: the ties, kept in the warehouse and brought up to its newest load, and what can be
reached over them. Does not belong here: conversations, which the models make of the same rows by
their current versions and the link policy.

A tie is wider than a link. It holds for each version of a record, also one that was corrected
since, and for what a policy rejects: so the things that hang together by ties are whole
conversations, with every row that says anything of them. Things are hashes; two that clash make a
working set larger and change nothing.
"""

from __future__ import annotations

import duckdb

from throughline import engine
from throughline.engine.sql import sql

# More steps than any conversation has, of those that a refresh is worth it for.
MOST_STEPS = 200

_CREATE = """
create schema if not exists refresh;
create table if not exists refresh.ties (one ubigint not null, other ubigint not null);
create table if not exists refresh.ties_known (basis varchar not null, load_no bigint not null);
"""


class TooFarError(RuntimeError):
    """What hangs together is so long a chain that a full build is quicker."""


def contact(source: str, contact_id: str) -> str:
    """SQL of the thing that a contact is, from SQL of its source and id; null without an id."""
    return _thing("contact", source, contact_id)


def transaction(source: str, transaction_id: str) -> str:
    """SQL of the thing that a transaction is: it may name no contact."""
    return _thing("transaction", source, transaction_id)


def _thing(kind: str, source: str, name: str) -> str:
    return f"case when {name} <> '' then hash('{kind}', {source}, {name}) end"


# Whose a row of raw is. What else it names hangs together with that by a tie, unless it says in a
# word that there is nothing.
HOLDERS = {
    "contacts": contact("source", "contact_id"),
    "transfers": contact("source", "from_contact_id"),
    "messages": contact("source", "contact_id"),
    "ratings": contact("source", "contact_id"),
    "transactions": transaction("source", "transaction_id"),
}


def _unless_none(column: str) -> str:
    """SQL of a reference, null where a word of the vocabulary says that there is none."""
    return (
        f"case when not exists (from reference.placeholders as words where words.word = {column}"
        f" and coalesce(words.source, rows.source) = rows.source) then {column} end"
    )


def _stated() -> str:
    """SQL of the ties that rows of loads above $known state by themselves."""
    return sql(
        """
        select @{contact} as one, @{previous} as other
        from raw.contacts as rows where load_no > $known and previous_contact_id <> ''
        union all
        select @{contact}, @{reference}
        from raw.contacts as rows where load_no > $known and conversation_ref <> ''
        union all
        select @{origin}, @{target}
        from raw.transfers as rows where load_no > $known and to_contact_id <> ''
        union all
        select @{purchase}, @{payer}
        from raw.transactions as rows where load_no > $known and contact_id <> ''
        """,
        contact=HOLDERS["contacts"],
        previous=contact("source", _unless_none("previous_contact_id")),
        reference=_thing("reference", "source", _unless_none("conversation_ref")),
        origin=HOLDERS["transfers"],
        target=contact("source", _unless_none("to_contact_id")),
        purchase=HOLDERS["transactions"],
        payer=contact("source", _unless_none("contact_id")),
    )


def _wandered(log: str, key: str) -> str:
    """SQL of the ties of records that came under several contacts, with a version above $known.

    Hashes of the ids find them; versions of one record name one contact nearly always.
    """
    return sql(
        """
        with records as (
            select hash('@{log}', source, @{key}) as record, @{holder} as holder, load_no
            from raw.@{log} where @{key} <> ''
        ),
        seen as (
            select record, holder from records
            where $known = 0 or record in (select record from records where load_no > $known)
        ),
        several as (
            select record from seen group by record having min(holder) <> max(holder)
        )
        select distinct seen.record as one, seen.holder as other
        from seen semi join several on seen.record = several.record
        """,
        log=log,
        key=key,
        holder=HOLDERS[log],
    )


# Another vocabulary makes other ties, another engine other hashes, another statement here both.
_BASIS = """
    select concat_ws('|', $way, version(), md5(string_agg(concat_ws('|', source, word), '|'
        order by source nulls first, word)))
    from reference.placeholders
"""
_WAY = "1"


def are_up_to_date(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the ties that a warehouse keeps are those of its newest load."""
    try:
        known = connection.execute("select basis, load_no from refresh.ties_known").fetchone()
    except duckdb.CatalogException:
        return False
    return bool(known == _current(connection))


def _current(connection: duckdb.DuckDBPyConnection) -> tuple[str, int]:
    """In which way ties are made now, and the newest load."""
    return (
        str(engine.one(connection, _BASIS, {"way": _WAY})),
        int(engine.one(connection, "select coalesce(max(load_no), 0) from raw.loads")),
    )


def bring_up_to_date(connection: duckdb.DuckDBPyConnection) -> None:
    """Add what the newest loads tie together; all of it where they were made in another way.

    Args:
        connection: the warehouse, for writing.
    """
    if are_up_to_date(connection):
        return
    connection.execute(_CREATE)
    known = connection.execute("select basis, load_no from refresh.ties_known").fetchone()
    basis, newest = _current(connection)
    connection.execute("begin")
    try:
        last = known[1] if known is not None and known[0] == basis else 0
        if not last:
            connection.execute("truncate refresh.ties")
        for query in (
            _stated(),
            _wandered("transfers", "transfer_id"),
            _wandered("messages", "message_id"),
            _wandered("ratings", "rating_id"),
        ):
            connection.execute(
                sql(
                    "insert into refresh.ties"
                    " select one, other from (@{found}) as found where one <> other"
                    " except select one, other from refresh.ties",
                    found=query,
                ),
                {"known": last},
            )
        connection.execute("delete from refresh.ties_known")
        connection.execute("insert into refresh.ties_known values (?, ?)", [basis, newest])
        connection.execute("commit")
    except BaseException:
        connection.execute("rollback")
        raise


def reach(connection: duckdb.DuckDBPyConnection) -> None:
    """Add to the table `touched` (thing) everything that hangs together with what it holds.

    Args:
        connection: the warehouse, with a temporary table `touched`.

    Raises:
        TooFarError: there is no end after MOST_STEPS steps.
    """
    connection.execute("create or replace temp table frontier as from touched")
    for _ in range(MOST_STEPS):
        connection.execute(
            """
            create or replace temp table frontier as
            select other as thing from refresh.ties semi join frontier on one = thing
            union
            select one from refresh.ties semi join frontier on other = thing
            except
            select thing from touched
            """
        )
        if not engine.one(connection, "select count(*) from frontier"):
            return
        connection.execute("insert into touched from frontier")
    raise TooFarError(f"after {MOST_STEPS} steps over what hangs together there is no end")
