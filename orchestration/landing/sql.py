"""How this package writes SQL whose values are always bound.

Belongs here: placeholders, identifiers, parameters. Does not belong here: any statement.
"""

from __future__ import annotations

from string import Template
from typing import Any


class _Statement(Template):
    # DuckDB writes its own parameters with a dollar sign.
    delimiter = "@"


def sql(template: str, **fragments: str) -> str:
    """Fill the `@{name}` places of a statement with SQL fragments.

    Args:
        template: the statement.
        fragments: SQL text made by this package. A value out of a file, a header or a path never
            goes here: `Bindings.bind` is for those.
    """
    return _Statement(template).substitute(fragments)


def identifier(name: str) -> str:
    """A name as a quoted SQL identifier, whatever characters it has."""
    return '"' + name.replace('"', '""') + '"'


class Bindings:
    """The bound values of one statement; DuckDB refuses values that a statement does not name."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}

    def bind(self, value: Any) -> str:
        """Keep a value and give the placeholder that stands for it."""
        name = f"p{len(self.values)}"
        self.values[name] = value
        return f"${name}"
