"""What was asked for, what became of it, and between whom.

Belongs here: counts of requests and of accepted transfers. Does not belong here: which transfers
(`question`), what becomes of their conversations (`ways`, `costs`).
"""

from __future__ import annotations

from datetime import date

from serving.filters import to_conversation, where
from serving.filters.transfers import DAY
from serving.queries.transfers.question import MOST_ROWS, Question, asked
from serving.snapshot import Row, Snapshot

MOST_NODES = 12
STEPS = 3  # Transfers of a conversation that are drawn one after the other.
OTHER = "\u0000"  # No id: a text of the logs holds no such character.


def transfers(snapshot: Snapshot, question: Question) -> list[Row]:
    """Requests and accepted transfers, counted in every way that the page shows.

    Returns:
        Rows told apart by `level`, each with transfers and conversations:
        `pair`: accepted ones by source, from_end and to_end. The MOST_NODES busiest ends keep their
        ids; the others are OTHER, with a null source and without conversations, which would count
        some twice.
        `step`: the same by `step` too, without conversations: a conversation's first, second and
        third transfer of the period, and STEPS + 1 for all later ones, without ends.
        `all`, `kind` (kind), `target` (source, target_kind, target_id): requests by outcome, which
        is `set_aside` for one accepted over a rejected link; with waits, wait_median and wait_p90
        (seconds) of those accepted. Of `all` one row has no outcome: the sum. Of kinds and targets
        the MOST_ROWS most frequent; `places` says how many there are.
    """
    base = asked(question, snapshot.mark)
    return snapshot.rows(
        f"""
        with {base.sql},

        accepted as (
            select
                *,
                row_number() over (
                    partition by conversation_no order by requested_at, transfer_id
                ) as step
            from asked
            where outcome = 'accepted'
        ),

        exact_pairs as materialized (
            select
                source,
                from_end,
                to_end,
                count(*) as transfers,
                count(distinct conversation_no) as conversations
            from accepted
            group by source, from_end, to_end
        ),

        ends as (
            select source, from_end as an_end, transfers from exact_pairs
            union all
            select source, to_end, transfers from exact_pairs
        ),

        busiest as materialized (
            select source, an_end
            from ends
            group by source, an_end
            order by sum(transfers) desc, source, an_end
            limit {MOST_NODES}
        ),

        exact_steps as (
            select
                least(step, {STEPS + 1}) as step,
                source,
                case when step <= {STEPS} then from_end else $other end as from_end,
                case when step <= {STEPS} then to_end else $other end as to_end,
                count(*) as transfers
            from accepted
            group by all
        ),

        counted as (
            select 'pair' as level, null as step, * from exact_pairs
            union all by name
            select 'step' as level, * from exact_steps
        ),

        named as (
            select
                counted.level,
                counted.step,
                case
                    when from_ends.an_end is not null or to_ends.an_end is not null
                    then counted.source
                end as source,
                coalesce(from_ends.an_end, $other) as from_end,
                coalesce(to_ends.an_end, $other) as to_end,
                counted.transfers,
                case
                    when from_ends.an_end is not null and to_ends.an_end is not null
                    then counted.conversations
                end as conversations
            from counted
            left join busiest as from_ends
                on counted.source is not distinct from from_ends.source
                and counted.from_end = from_ends.an_end
            left join busiest as to_ends
                on counted.source is not distinct from to_ends.source
                and counted.to_end = to_ends.an_end
        ),

        requests as (
            select
                case
                    when grouping(target_kind) = 0 then 'target'
                    when grouping(kind) = 0 then 'kind'
                    else 'all'
                end as level,
                target_source as source,
                target_kind,
                target_id,
                kind,
                outcome,
                count(*) as transfers,
                count(distinct conversation_no) as conversations,
                count(wait_seconds) as waits,
                quantile_cont(wait_seconds, [0.5, 0.9]) as wait
            from asked
            group by grouping sets (
                (),
                (outcome),
                (kind, outcome),
                (target_source, target_kind, target_id, outcome)
            )
        ),

        -- By the requests of all outcomes, whichever outcome a row is about.
        ranked as (
            select
                *,
                dense_rank() over (
                    partition by level order by requests desc, source, target_kind, target_id, kind
                ) as place
            from (
                select
                    *,
                    sum(transfers) over (
                        partition by level, source, target_kind, target_id, kind
                    ) as requests
                from requests
            )
        ),

        placed as (
            select
                *,
                max(place) over (partition by level) as places
            from ranked
        )

        select
            level,
            step,
            source,
            from_end,
            to_end,
            sum(transfers) as transfers,
            sum(conversations) as conversations
        from named
        group by all
        union all by name
        select
            level,
            source,
            target_kind,
            target_id,
            kind,
            outcome,
            transfers,
            conversations,
            waits,
            wait[1] as wait_median,
            wait[2] as wait_p90,
            places
        from placed
        where place <= {MOST_ROWS}
        order by level, transfers desc, source, from_end, to_end, step, target_id, kind, outcome
        """,
        {**base.values, "other": OTHER},
    )


def nearest_day(snapshot: Snapshot, question: Question) -> date | None:
    """The last day up to the period with a transfer that is asked about, else the first after it.

    Returns:
        None when there is no such transfer on any day.
    """
    found = where(question.of_any_day.conditions())
    row = snapshot.row(
        f"""
        with days as (
            select {DAY.format(conversation="conversations")} as day
            from marts.transfers as transfers{to_conversation("transfers")}
            where {found.sql}
        )

        select
            max(day) filter (day <= $last_day) as before,
            min(day) as first
        from days
        """,
        {**found.values, "last_day": question.last_day},
    )
    if row is None:
        return None
    day: date | None = row["before"] or row["first"]
    return day
