"""The addresses of the pages, as a link writes them.

Belongs here: where a page is. Does not belong here: what it takes (`serving.places`).
"""

from __future__ import annotations

from urllib.parse import quote

LOG = "/conversations"


def log(query: str = "") -> str:
    """The log; with a query string, filtered."""
    return f"{LOG}?{query}" if query else LOG


def conversation(id: str, source: str = "") -> str:
    """The path of the detail page of an id, whatever it is made of."""
    path = f"{LOG}/{quote(id, safe=':')}"
    return f"{path}?source={quote(source, safe='')}" if source else path


def contact_anchor(contact_id: str) -> str:
    """The name of a contact's place on the page; the same in an address and in the page."""
    return "contact-" + quote(contact_id, safe="")
