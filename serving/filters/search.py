"""Free text: every word, in any message of a conversation, accents and case aside.

Belongs here: the words of a search, how each is spelled as an expression, the condition.
Does not belong here: where in a message a word was found (`queries.excerpts`).
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass

from serving.filters.conditions import Condition, in_conversations, where, window_of

MOST_WORDS = 8


def condition(text: str, *, windowed: bool = False) -> Condition | None:
    """That the messages of a conversation hold every word, whichever holds which; None without any.

    Args:
        text: what was asked for.
        windowed: the look into the messages is bounded by WINDOW, for the caller to bind.
    """
    words = [_Word(*pair) for pair in enumerate(search_words(text))]
    if not words:
        return None
    # The longest word is likely the rarest. One pass over the messages finds its conversations;
    # the other words are looked for in those alone.
    rarest, *others = sorted(words, key=lambda word: -len(word.text))
    within = window_of("messages", windowed=windowed)
    found = (
        "select distinct messages.conversation_started_at, messages.conversation_id"
        " from marts.messages as messages"
        f" where messages.conversation_id is not null{within} and {rarest.condition.sql}"
    )
    if others:
        having = " and ".join(f"bool_or({word.condition.sql})" for word in others)
        found = (
            "select messages.conversation_started_at, messages.conversation_id"
            f" from marts.messages as messages semi join ({found}) as found"
            " on messages.conversation_started_at = found.conversation_started_at"
            " and messages.conversation_id = found.conversation_id"
            f" where true{within}"
            " group by messages.conversation_started_at, messages.conversation_id"
            f" having {having}"
        )
    # As one list, of which DuckDB expects little: of a table that it expects much of, it would
    # rather read and hash every conversation than the hits.
    return in_conversations(
        "select unnest(list((hits.conversation_started_at, hits.conversation_id)))"
        f" from ({found}) as hits",
        where(word.condition for word in words).values,
    )


def search_words(text: str) -> list[str]:
    """The words of a search, at most MOST_WORDS; a phrase in double quotes is one word."""
    words = [phrase or word for phrase, word in re.findall(r'"([^"]+)"|([^\s"]+)', text)]
    return [word for word in words[:MOST_WORDS] if word.strip()]


def word_patterns(text: str) -> list[str]:
    """One regular expression (RE2) per word of a search.

    Case and accents are set aside on both sides: `reclamation` finds Réclamation, and the other way
    round.
    """
    return [_pattern(word) for word in search_words(text)]


@dataclass(frozen=True)
class _Word:
    """A word of a search.

    Attributes:
        number: which one.
        text: as it was given.
    """

    number: int
    text: str

    @property
    def condition(self) -> Condition:
        """That a message holds it.

        In a message of plain ASCII no letter has an accent, and an expression that knows of none
        is up to twice as fast.
        """
        spelled, plain = f"word_{self.number}", f"plain_{self.number}"
        return Condition(
            "(case when strlen(messages.body) = length(messages.body)"
            f" then regexp_matches(messages.body, ${plain})"
            f" else regexp_matches(messages.body, ${spelled}) end)",
            {
                spelled: _pattern(self.text),
                plain: "".join(map(_ascii_letter, _folded(self.text))),
            },
        )


_VARIANTS = {
    "a": "aàáâãäåā",
    "c": "cçćč",
    "e": "eèéêëēę",
    "i": "iìíîïī",
    "l": "lł",
    "n": "nñń",
    "o": "oòóôõöøō",
    "s": "sśšș",
    "u": "uùúûüū",
    "y": "yýÿ",
    "z": "zźżž",
}
_LIGATURES = {"œ": "oe", "æ": "ae", "ß": "ss"}


def _folded(word: str) -> str:
    """A word without case, accents and ligatures."""
    plain = word.casefold()
    for ligature, letters in _LIGATURES.items():
        plain = plain.replace(ligature, letters)
    return "".join(
        letter
        for letter in unicodedata.normalize("NFD", plain)
        if not unicodedata.combining(letter)
    )


def _pattern(word: str) -> str:
    plain = _folded(word)
    parts, position = [], 0
    while position < len(plain):
        letters = plain[position : position + 2]
        joined = next((key for key, value in _LIGATURES.items() if value == letters), None)
        if joined:
            pair = "".join(_letter(each) for each in letters)
            parts.append(f"(?:{pair}|{joined})")
            position += 2
        else:
            parts.append(_letter(plain[position]))
            position += 1
    return "(?i)" + "".join(parts)


def _letter(letter: str) -> str:
    if letter in _VARIANTS:
        # A letter may also be followed by an accent of its own.
        return f"[{_VARIANTS[letter]}]\\p{{Mn}}?"
    return _plain_letter(letter)


def _plain_letter(letter: str) -> str:
    if letter.isspace():
        return r"\s+"
    # What a regular expression would read as its own.
    return re.sub(r"([^\w])", r"\\\1", letter) if letter.isascii() else letter


def _ascii_letter(letter: str) -> str:
    # In both cases by hand: to (?i), s and k have a third form each that is no ASCII, with which a
    # search takes more than twice as long.
    if letter.isascii() and letter.isalpha():
        return f"[{letter}{letter.upper()}]"
    return _plain_letter(letter)
