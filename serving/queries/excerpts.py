"""Where in its messages words were found.

Belongs here: a piece of text around the first hit of a conversation. Does not belong here: which
conversations have a hit (`filters.search`).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from serving import filters
from serving.queries.ids import Key
from serving.snapshot import Row, Snapshot

BEFORE_HIT, AFTER_HIT = 50, 110
# Around what was found, in an excerpt; a message cannot hold them there.
HIT_START, HIT_END = "\x02", "\x03"


@dataclass(frozen=True)
class Excerpt:
    """Where words were found in a conversation.

    Attributes:
        parts: pieces of text in order, each with whether it was looked for.
        author_kind: who wrote it.
    """

    parts: list[tuple[str, bool]]
    author_kind: str


def excerpts(snapshot: Snapshot, words: str, keys: Sequence[Key]) -> dict[str, Excerpt]:
    """The first message of each conversation in which a word was found.

    Args:
        snapshot: where to look.
        words: the free text of the filter.
        keys: conversations that the search found.

    Returns:
        By conversation id; a conversation without a hit is left out.
    """
    patterns = filters.word_patterns(words)
    if not patterns or not keys:
        return {}
    any_word = "|".join(f"(?:{pattern})" for pattern in patterns)
    # The moments stand as a list of parameters, by which row groups are passed over.
    moments = {f"moment_{number}": key.started_at for number, key in enumerate(keys)}
    rows = snapshot.rows(
        "select conversation_id, author_kind, starts_with(body, excerpt) as is_start,"
        " ends_with(body, excerpt) as is_end,"
        " regexp_replace(translate(excerpt, $marks, ''), $any_word, $marked, 'g') as excerpt"
        " from (select conversation_id, author_kind, body,"
        " regexp_extract(body, $around) as excerpt from marts.messages"
        f" where conversation_started_at in ({', '.join('$' + name for name in moments)})"
        " and conversation_id in (select unnest(cast($ids as varchar[])))"
        " and regexp_matches(body, $any_word)"
        " qualify row_number() over (partition by conversation_id order by message_no) = 1)",
        {
            **moments,
            "ids": [key.conversation_id for key in keys],
            "any_word": any_word,
            "around": f"(?s).{{0,{BEFORE_HIT}}}(?:{any_word}).{{0,{AFTER_HIT}}}",
            "marks": HIT_START + HIT_END,
            "marked": f"{HIT_START}\\0{HIT_END}",
        },
    )
    return {row["conversation_id"]: _excerpt(row) for row in rows}


def _excerpt(row: Row) -> Excerpt:
    parts: list[tuple[str, bool]] = []
    if not row["is_start"]:
        parts.append(("…", False))
    for piece in re.split(f"({HIT_START}[^{HIT_END}]*{HIT_END})", row["excerpt"]):
        if piece.startswith(HIT_START):
            parts.append((piece[1:-1], True))
        elif piece:
            parts.append((piece, False))
    if not row["is_end"]:
        parts.append(("…", False))
    return Excerpt(parts, row["author_kind"])
