"""Why a published figure changed: the closed list that writer and readers share.

Belongs here: the causes, and for which measures one goes before the others. Does not belong here:
finding the cause of a change (publishing.comparing), what it is called on a page (serving).
"""

from __future__ import annotations

# Above so many changed cells of a report, a publication keeps those of the whole by month, and one
# row per measure and cause for the others.
MOST_CELLS = 10_000

# Of conversations, in the order in which they count: what makes others of it stands first.
OF_CONVERSATIONS = (
    "merge",
    "late_contact",
    "correction",
    "transfer",
    "expiry",
    "message",
    "rating",
    "transaction",
)
# Of no conversation: each is taken where nothing of the conversations explains the change.
OF_ALL = ("definition", "registry", "agent")
CAUSES = (*OF_CONVERSATIONS, *OF_ALL)

# Measures of which a cause is asked first, as patterns of `like`.
FIRST_FOR = {
    "rating": ("csat_%", "nps%"),
    "transaction": (
        "transactions",
        "refunds",
        "converted%",
        "conversion_rate",
        "revenue",
        "average_order_value",
    ),
    "message": ("messages_%", "first_reply_%", "response_%", "pickup_%"),
}
