"""Truth: what a pipeline has to find in the sample logs, written beside them.

Belongs here: the true conversation of each contact, the shape of each conversation, the counts.
Does not belong here: reading logs back (`tests/sample` does that, to check this).

The truth follows the contract over what was delivered: a contact that never arrived is missing,
and what two ends name stays one conversation.
"""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence

from seeds.generator.delivery import Courier, File
from seeds.generator.encoding import gzip_bytes
from seeds.generator.stories import Contact, Period, Story
from seeds.generator.world import LOGS, Source

CONTACTS_FILE = "contacts.csv.gz"
CONVERSATIONS_FILE = "conversations.csv.gz"
COUNTS_FILE = "counts.json"
FILES_FILE = "files.csv"


def is_named(story: Story, contact: Contact) -> bool:
    """Whether delivered evidence names a contact that was not itself delivered."""
    return any(
        request.origin is contact or request.target is contact for request in story.transfers
    )


def count(
    stories: Sequence[Story], couriers: Mapping[str, Courier], agents: int
) -> dict[str, object]:
    """What a source's tables must count.

    Args:
        stories: its conversations.
        couriers: what was delivered, by log.
        agents: its respondents.
    """
    contacts = [contact for story in stories for contact in story.contacts]
    delivered = [contact for contact in contacts if not contact.is_lost]
    outcomes = Counter(request.outcome for story in stories for request in story.transfers)
    return {
        "conversations": len(stories),
        "contacts": len(delivered),
        "missing_contacts": sum(
            contact.is_lost and is_named(story, contact)
            for story in stories
            for contact in story.contacts
        ),
        "open_contacts": sum(contact.ended_at is None for contact in delivered),
        "transfer_requests": sum(outcomes.values()),
        "accepted_transfers": outcomes["accepted"],
        "failed_transfers": outcomes["failed"],
        "abandoned_transfers": outcomes["abandoned"],
        "undecided_transfers": outcomes[None],
        "rejected_links": sum(
            mark.startswith("link_") for story in stories for mark in story.marks
        ),
        "messages": sum(len(contact.messages) for contact in delivered),
        "ratings": sum(len(story.ratings) for story in stories),
        "transactions": sum(len(story.transactions) for story in stories),
        "agents": agents,
        "rows": {log: len(couriers[log].delivered) for log in LOGS},
        "late_rows": sum(courier.late for courier in couriers.values()),
        "repeated_rows": sum(courier.repeated for courier in couriers.values()),
        "unfinished_versions": sum(courier.versions for courier in couriers.values()),
    }


def total(parts: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The sum of the counts of all sources."""
    summed: dict[str, object] = {}
    for key, first in (parts[0] if parts else {}).items():
        values = [part[key] for part in parts]
        if isinstance(first, dict):
            summed[key] = total([value for value in values if isinstance(value, dict)])
        else:
            summed[key] = sum(value for value in values if isinstance(value, int))
    return summed


def _csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> bytes:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return buffer.getvalue().encode()


def truth_files(
    told: Sequence[tuple[Source, Sequence[Story], Mapping[str, object]]],
    files: Sequence[File],
    period: Period,
    seed: int,
) -> list[File]:
    """The files of the truth.

    Args:
        told: per source its stories and counts.
        files: the landing zone's files.
        period: what they cover.
        seed: what they came from.
    """
    contacts: list[Sequence[object]] = []
    conversations: list[Sequence[object]] = []
    number = 0
    for source, stories, _ in told:
        for story in stories:
            number += 1
            marks = "|".join(sorted(story.marks))
            conversations.append((number, source.name, story.shape, marks))
            for contact in story.contacts:
                if not contact.is_lost or is_named(story, contact):
                    delivered = "false" if contact.is_lost else "true"
                    contacts.append((source.name, contact.contact_id, number, delivered))
    shapes = Counter(story.shape for _, stories, _ in told for story in stories)
    marks_count = Counter(
        mark for _, stories, _ in told for story in stories for mark in story.marks
    )
    counts = {
        "seed": seed,
        "first_day": period.first_day.isoformat(),
        "days": period.days,
        "all": total([part for _, _, part in told]),
        "sources": {source.name: part for source, _, part in told},
        "shapes": dict(sorted(shapes.items())),
        "marks": dict(sorted(marks_count.items())),
    }
    listed = [(file.path, file.rows) for file in files]
    parts = {
        CONTACTS_FILE: gzip_bytes(
            _csv(("source", "contact_id", "conversation_no", "is_delivered"), contacts)
        ),
        CONVERSATIONS_FILE: gzip_bytes(
            _csv(("conversation_no", "source", "shape", "marks"), conversations)
        ),
        COUNTS_FILE: (json.dumps(counts, indent=2, ensure_ascii=False) + "\n").encode(),
        FILES_FILE: _csv(("path", "rows"), sorted(listed)),
    }
    return [File(name, content, 0) for name, content in parts.items()]
