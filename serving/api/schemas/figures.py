"""The models of the statistic resource.

Belongs here: a member per indicator. Does not belong here: the indicators (`statistic`).
"""

from __future__ import annotations

from typing import Any

from pydantic import ConfigDict, Field, create_model

from serving.api.schemas.frame import (
    Id,
    Model,
    Success,
)
from serving.api.statistic import INDICATORS, UNAVAILABLE_INDICATORS

_figures: dict[str, Any] = {
    name: (float | None, Field(default=None, description=indicator.description))
    for name, indicator in INDICATORS.items()
}
_figures |= {
    name: (None, Field(default=None, description=f"Always null. {reason}"))
    for name, reason in UNAVAILABLE_INDICATORS.items()
}
Figures = create_model(
    "Figures",
    __base__=Model,
    __doc__="Figures of the whole period: those asked for. A mean or rate over nothing is null.",
    **_figures,
)
FiguresOf = create_model(
    "FiguresOf",
    __base__=Model,
    __doc__="Figures of one operator or group, of one slot of time, or of both.",
    id=(Id | None, Field(default=None, description="The operator or group.")),
    source=(str | None, Field(default=None, description="Its source.")),
    date=(
        str | None,
        Field(default=None, description="`YYYY-MM`, `YYYY-MM-DD` or `YYYY-MM-DD HH:00:00`."),
    ),
    **_figures,
)


class StatisticMeta(Success):
    """How the request went."""

    unavailable: dict[str, str] = Field(
        default_factory=dict,
        description="Indicators that cannot be known here and are null, each with the reason.",
    )


class StatisticAnswer(Model):
    """The platform's indicators."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [
                {
                    "meta": {"status": "success", "version": "5d41402abc4b2a76"},
                    "data": [{"id": "9", "source": "maison_lumiere", "contact_number": 58}],
                }
            ]
        },
    )

    meta: StatisticMeta
    data: Figures | list[FiguresOf] = Field(  # type: ignore[valid-type]
        description="An object; a list with `resource` or `granularity`."
    )
