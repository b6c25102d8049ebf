"""The published metrics in SQL.

Belongs here: from a metric's definition to the sums that it is made of, and back to the figure.
Does not belong here: which rows are summed (`totals`).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from serving.api.envelope import RefusedError
from serving.api.statistic.indicators import FIGURES
from serving.snapshot import Snapshot
from throughline.published.metrics import Metric

MOST_ROWS = 20_000


class Definitions:
    """The metrics of a version, as it publishes them, in SQL.

    They come out of the manifest beside the snapshot: who could write other ones there could as
    well write other data.

    Args:
        snapshot: the version.

    Raises:
        RefusedError: an earlier release published it, and it does not say what its metrics are.
    """

    def __init__(self, snapshot: Snapshot) -> None:
        self._metrics = {metric.name: metric for metric in snapshot.metrics.values()}
        if not any(metric.expression for metric in self._metrics.values()):
            raise RefusedError("This version of the data does not say what its figures are.")

    def sums(self, figures: Iterable[str]) -> list[Metric]:
        """The metrics over rows that some figures are made of."""
        found: dict[str, Metric] = {}
        for name in figures:
            for part in self._parts(self._metrics[name]):
                found[part.name] = part
        return list(found.values())

    def _parts(self, metric: Metric) -> Iterator[Metric]:
        if metric.aggregation:
            yield metric
        elif metric.numerator:
            yield from self._parts(self._metrics[metric.numerator])
            yield from self._parts(self._metrics[metric.denominator])
        else:
            for name in re.findall(r"\w+", metric.expression):
                if name in self._metrics:
                    yield from self._parts(self._metrics[name])

    def figure(self, name: str) -> str:
        """A figure, over the sums that it is made of."""
        metric = self._metrics[name]
        if metric.aggregation:
            return metric.name
        if metric.numerator:
            below = self.figure(metric.denominator)
            return f"cast({self.figure(metric.numerator)} as double) / nullif({below}, 0)"
        return f"({metric.expression})"

    def query(
        self, grain: str, base: str, shown: Sequence[str] = (), groups: Sequence[str] = ()
    ) -> str:
        """The figures of a grain.

        Args:
            grain: `contact` or `conversation`.
            base: rows with what each adds to the sums.
            shown: of the base, what each row of the answer is about.
            groups: the same, to group by.
        """
        names = FIGURES[grain]
        summed = ", ".join([*shown, *(sum_of(metric) for metric in self.sums(names))])
        grouped = f" group by {', '.join(groups)}" if groups else ""
        keys = [each.rpartition(" as ")[2] for each in shown]
        figures = [f"{self.figure(name)} as {name}" for name in names]
        return (
            f"with base as ({base}),"
            f" sums as (select {summed} from base{grouped} limit {MOST_ROWS + 1})"
            f" select {', '.join([*keys, *figures])} from sums"
        )


def sum_of(metric: Metric) -> str:
    """The sum of a metric over rows that have it, exact whatever their order."""
    name = metric.name
    if metric.aggregation in ("min", "max"):
        return f"{metric.aggregation}({name}) as {name}"
    # Sums of seconds are exact, whatever the order in which they are added.
    if metric.unit == "seconds":
        return f"coalesce(cast(sum(cast({name} as decimal(38, 6))) as double), 0) as {name}"
    if metric.unit == "amount":
        return f"cast(coalesce(sum({name}), 0) as decimal(38, 4)) as {name}"
    return f"cast(coalesce(sum({name}), 0) as bigint) as {name}"
