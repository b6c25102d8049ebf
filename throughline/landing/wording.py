"""Why a file cannot be read, in sentences, from what the engine says of it.

Belongs here: the engine's words and what they mean to the one who delivers the file. Does not
belong here: whether a failure is the file's at all (`loading`).
"""

from __future__ import annotations

import re

import duckdb

_AGAIN = "Deliver it again, complete and in the format that its name says"

# Patterns in what the engine says, what it means, and what to do.
_MEANINGS = (
    (
        r"Invalid string encoding|not valid UTF-?8|Invalid unicode",
        "it holds text that is not UTF-8",
        "Write text as UTF-8",
    ),
    (
        r"Could not convert Timestamp|timestamp.*out of range|Timestamp.*overflow",
        "it holds a time too far off for any calendar",
        "Correct the time, or leave it out where it is not known",
    ),
    (
        r"encrypted",
        "it is encrypted",
        "Deliver it without encryption",
    ),
    (
        r"[Mm]aximum (line|object) size|larger than the buffer|max_line_size",
        "a record in it is too long",
        "Deliver records shorter than 64 MB",
    ),
    (
        r"[Uu]nsupported (compression )?codec|codec .* not supported|Unsupported compression",
        "its compression is not supported",
        "Write it with Snappy, gzip, Zstandard or LZ4",
    ),
)


def reason_of(error: duckdb.Error, format_name: str) -> str:
    """A problem and its remedy; the engine's own words only in quotes, where nothing is known."""
    words = str(error).strip().partition("\n")[0]
    name = "Parquet" if format_name == "parquet" else format_name.upper()
    for pattern, meaning, remedy in _MEANINGS:
        if re.search(pattern, words):
            return f"The file cannot be read as {name}: {meaning}. {remedy}"
    words = words.partition("Error: ")[2] or words
    return (
        f"The file cannot be read as {name}: it is damaged, or holds what {name} does not allow "
        f'(the engine says "{words[:300].rstrip(". ")}"). {_AGAIN}'
    )
