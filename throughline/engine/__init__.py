"""The ground floor: DuckDB, files and locks, each in one place.

Belongs here: opening DuckDB, quoting, replacing files whole, locks, and knowing a failure of the
machine when it is seen. Does not belong here: what any table or file holds.
"""

from throughline.engine.connecting import (
    HeldError,
    Limits,
    attach,
    attached,
    connect,
    explained,
    has_table,
    has_views,
    holder,
    is_cut_off,
    is_held,
    one,
    seal,
)

__all__ = [
    "HeldError",
    "Limits",
    "attach",
    "attached",
    "connect",
    "explained",
    "has_table",
    "has_views",
    "holder",
    "is_cut_off",
    "is_held",
    "one",
    "seal",
]
