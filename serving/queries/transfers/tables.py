"""The tables of an export of the page.

Belongs here: the same questions without a limit of rows, with names beside the ids. Does not belong
here: making a file (`serving.export`).
"""

from __future__ import annotations

from serving.filters import NONE, to_conversation
from serving.queries.directory import name_of
from serving.queries.table import Table
from serving.queries.transfers.question import OUTCOMES, Question, asked, where_of
from serving.snapshot import Snapshot

TABLES = ("requests", "pairs", "targets")


def table(snapshot: Snapshot, question: Question, name: str) -> Table:
    """A table of an export of the page, all of its rows.

    Args:
        snapshot: what is asked.
        question: which transfers.
        name: in TABLES. `requests`: one row per request, with the columns of marts.transfers and
            those of its conversation that the page asks for. `pairs`: accepted ones by who handed
            over and who took over, at the level of the question. `targets`: requests by what they
            were addressed to.
    """
    if name == "requests":
        found = where_of(question)
        return Table(
            name="transfers",
            sql=f"""
                select transfers.*, conversations.project_id, conversations.channel,
                    conversations.time_zone
                from marts.transfers as transfers{to_conversation("transfers")}
                where {found.sql}
            """,
            values=found.values,
            order=("requested_at", "source", "transfer_id"),
        )
    base = asked(question, snapshot.mark)
    if name == "pairs":
        names = [
            name_of(question.by, "counted.source", f"counted.{side}_id")
            if question.is_within_source
            else f"counted.{side}_id"
            for side in ("from", "to")
        ]
        return Table(
            name="transfer-pairs",
            sql=f"""
                with {base.sql},

                counted as (
                    select
                        source,
                        nullif(from_end, '{NONE}') as from_id,
                        nullif(to_end, '{NONE}') as to_id,
                        count(*) as transfers,
                        count(distinct conversation_no) as conversations
                    from asked
                    where outcome = 'accepted'
                    group by all
                )

                select source, '{question.by}' as level, from_id, {names[0]} as from_name, to_id,
                    {names[1]} as to_name, transfers, conversations
                from counted
            """,
            values=base.values,
            order=("source", "from_id", "to_id"),
        )
    by_outcome = ", ".join(
        f"count(*) filter (outcome = '{outcome}') as {outcome}" for outcome in OUTCOMES
    )
    agent, group = (
        name_of(kind, "counted.source", "counted.target_id") for kind in ("agent", "group")
    )
    return Table(
        name="transfer-targets",
        sql=f"""
            with {base.sql},

            counted as (
                select
                    target_source as source,
                    target_kind,
                    target_id,
                    count(*) as requests,
                    {by_outcome},
                    count(wait_seconds) as waits,
                    quantile_cont(wait_seconds, 0.5) as wait_median_seconds,
                    quantile_cont(wait_seconds, 0.9) as wait_p90_seconds
                from asked
                group by all
            )

            select source, target_kind, target_id,
                case when target_kind = 'group' then {group} else {agent} end as target_name,
                counted.* exclude (source, target_kind, target_id)
            from counted
        """,
        values=base.values,
        order=("source", "target_kind", "target_id"),
    )
