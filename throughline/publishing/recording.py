"""What the warehouse has to know of a version before anybody can see it: its ids and merges.

Belongs here: the rows of raw.publications, raw.published_ids and raw.id_merges. Does not belong
here: the ledger beside the versions (id_ledger), which id a conversation has (dbt).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from throughline import engine
from throughline.engine.sql import named
from throughline.published.manifest import Publication, PublishError
from throughline.publishing import id_ledger
from throughline.publishing.draft import SNAPSHOT, fingerprint
from throughline.settings import Settings

_NEXT_PUBLICATION_NO = "select coalesce(max(publication_no), 0) + 1 from {publications}"
_INSERT_PUBLICATION = """
    insert into {publications} (publication_no, data_version, run_id, last_load_no, published_at)
    values ($publication_no, $data_version, $run_id, $last_load_no, $published_at)
"""
_NEW_IDS = """
    select count(*)
    from {conversations} as conversations
    anti join {published_ids} as known on known.conversation_id = conversations.conversation_id
    where
        $everywhere
        or cast(conversations.started_at as date) in (select unnest($days::date[]))
        or ($none and conversations.started_at is null)
"""
_INSERT_IDS = """
    insert into {published_ids} (conversation_id, source, contact_id, publication_no)
    select
        conversations.conversation_id,
        conversations.source,
        conversations.anchor_contact_id,
        $publication_no
    from {conversations} as conversations
    anti join {published_ids} as known on known.conversation_id = conversations.conversation_id
    where
        $everywhere
        or cast(conversations.started_at as date) in (select unnest($days::date[]))
        or ($none and conversations.started_at is null)
"""
_NEW_MERGES = """
    select count(*)
    from {merged} as merged
    anti join {id_merges} as known
        on known.old_conversation_id = merged.old_conversation_id
        and known.new_conversation_id = merged.new_conversation_id
"""
_INSERT_MERGES = """
    insert into {id_merges} (
        old_conversation_id, new_conversation_id, source, merged_at, evidence, transfer_id,
        publication_no
    )
    select
        merged.old_conversation_id,
        merged.new_conversation_id,
        merged.source,
        merged.merged_at,
        merged.evidence,
        merged.transfer_id,
        $publication_no
    from {merged} as merged
    anti join {id_merges} as known
        on known.old_conversation_id = merged.old_conversation_id
        and known.new_conversation_id = merged.new_conversation_id
"""


@dataclass(frozen=True)
class Ledger:
    """The rows that the outside's view of the ids needs in the warehouse."""

    publication_no: int
    new_ids: int
    new_merges: int
    part: str | None = None


def record(
    settings: Settings,
    publication: Publication,
    snapshot: Path,
    *,
    conversations: tuple[str, ...],
    seen: tuple[int, int, int],
    days: Collection[date | None] | None,
    always: bool,
) -> Ledger:
    """Record in the warehouse what the outside sees once the version is current.

    The ids come from the snapshot itself, not from the warehouse: they are exactly what is shown.
    Where it has a view in their place, they come from what its files were written from.

    Args:
        settings: where the warehouse is.
        publication: what is published.
        snapshot: its DuckDB file.
        conversations: the table of the conversations, as `Draft.shown_conversations` has it.
        seen: the warehouse's fingerprint when it was read.
        days: on which conversations may have started that the current version does not show; any
            when not given. All that a version shows is recorded: of the others nothing is new.
        always: record the publication even when there is no new id and no new merge.

    Raises:
        PublishError: the warehouse was written since it was read.
    """
    names = _ledger_names(settings, conversations)
    warehouse = settings.warehouse_file
    where = {
        "everywhere": days is None,
        "days": [day for day in days or () if day is not None],
        "none": None in (days or ()),
    }
    with engine.connect(settings) as connection:
        engine.attach(connection, snapshot, SNAPSHOT)
        engine.attach(connection, settings.outgoing_file, settings.outgoing_file.stem)
        if not always:
            engine.attach(connection, warehouse, warehouse.stem)
            news = [
                engine.one(connection, named(_NEW_IDS, **names), where),
                engine.one(connection, named(_NEW_MERGES, **names)),
            ]
            connection.execute(named("detach {warehouse}", **names))
            if not any(news):
                return Ledger(publication.publication_no, 0, 0)
        if fingerprint(warehouse) != seen:
            raise PublishError("the warehouse was written while it was being published: run again")
        engine.attach(connection, warehouse, warehouse.stem, "read_write")
        connection.execute("begin")
        number = int(engine.one(connection, named(_NEXT_PUBLICATION_NO, **names)))
        connection.execute(
            named(_INSERT_PUBLICATION, **names),
            {
                "publication_no": number,
                "data_version": publication.data_version,
                "run_id": publication.run_id,
                "last_load_no": publication.last_load_no,
                "published_at": publication.published_at.replace(tzinfo=None),
            },
        )
        part = id_ledger.register(
            connection,
            warehouse.stem,
            publication_no=number,
            data_version=publication.data_version,
        )
        values = {"publication_no": number}
        ids = int(engine.one(connection, named(_INSERT_IDS, **names), values | where))
        merges = int(engine.one(connection, named(_INSERT_MERGES, **names), values))
        connection.execute("commit")
        connection.execute(named("detach {warehouse}", **names))
    return Ledger(number, ids, merges, part)


def _ledger_names(
    settings: Settings, conversations: tuple[str, ...]
) -> dict[str, str | tuple[str, ...]]:
    warehouse = settings.warehouse_file.stem
    return {
        "warehouse": warehouse,
        "publications": (warehouse, "raw", "publications"),
        "published_ids": (warehouse, "raw", "published_ids"),
        "id_merges": (warehouse, "raw", "id_merges"),
        "merged": (settings.outgoing_file.stem, "intermediate", "int_conversation_ids__merged"),
        "conversations": conversations,
    }
