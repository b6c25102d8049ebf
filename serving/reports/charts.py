"""Charts over periods: as options for the page's chart library, and as SVG for a copy.

Belongs here: the one description of a chart that both are drawn from. Does not belong here: which
figures (`measures`), the colours of the page (its style sheet).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from markupsafe import Markup

from serving import i18n
from serving.reports.measures import Measure

# The first colours of the page's light theme; a copy is light wherever it is read.
COLOURS = ("#2f6fd0", "#d9822b", "#2f9e6e", "#a855b8")
INK, MUTED, LINE = "#1a1f2b", "#545c6b", "#dcdfe6"
WIDTH, HEIGHT = 440, 190
LEFT, RIGHT, TOP, BOTTOM = 76, 26, 12, 26


@dataclass(frozen=True)
class Series:
    """One measure over the periods.

    Attributes:
        label: its name.
        values: one per period, None where there is none.
        links: the conversations behind each value.
        is_bar: whether it is drawn as bars.
    """

    label: str
    values: tuple[float | None, ...]
    links: tuple[str | None, ...]
    is_bar: bool


@dataclass(frozen=True)
class Chart:
    """A chart over periods.

    Attributes:
        title: what it shows.
        measure: how its values are written; all series share it.
        labels: one short label per period.
        periods: the periods in full.
        series: what is drawn.
        incomplete: places of periods that are not over.
        currency: of amounts.
    """

    title: str
    measure: Measure
    labels: tuple[str, ...]
    periods: tuple[str, ...]
    series: tuple[Series, ...]
    incomplete: frozenset[int] = frozenset()
    currency: str | None = None

    def show(self, value: float | None) -> str:
        """A value in the reader's language."""
        return self.measure.show(value, self.currency)

    @property
    def summary(self) -> str:
        """The chart in words: its title, the periods, and each series' first and last value."""
        parts = [
            i18n.gettext("%(label)s: %(first)s, then %(last)s")
            % {
                "label": series.label,
                "first": self.show(series.values[0]),
                "last": self.show(series.values[-1]),
            }
            for series in self.series
        ]
        span = i18n.gettext("from %(first)s to %(last)s") % {
            "first": self.periods[0],
            "last": self.periods[-1],
        }
        return f"{self.title}, {span}. {'; '.join(parts)}."

    @property
    def axis(self) -> list[float]:
        """The values that the axis names; nought is one of them."""
        found = [value for series in self.series for value in series.values if value is not None]
        return ticks(min([0.0, *found]), max([0.0, *found]), self.measure.kind)

    @property
    def axis_labels(self) -> list[str]:
        """How the axis names its values: no two of them alike."""
        axis = self.axis
        step = axis[1] - axis[0]
        if self.measure.kind == "seconds":
            return [i18n.short_duration(tick, step) for tick in axis]
        if self.measure.kind == "share":
            return [i18n.percent(tick, _decimals(step * 100)) for tick in axis]
        return [i18n.number(tick, _decimals(step)).replace("-", "\u2212") for tick in axis]

    @property
    def options(self) -> dict[str, Any]:
        """What the page's script draws: options of ECharts."""
        units = {"share": "share", "seconds": "seconds"}
        digits = {"number": self.measure.decimals, "money": 2, "points": 1}
        many = len(self.labels) > 40
        axis = self.axis
        options: dict[str, Any] = {
            "throughline": {
                "unit": units.get(self.measure.kind),
                "digits": digits.get(self.measure.kind, 0),
                "axis": self.axis_labels,
            },
            "grid": {"left": 6, "right": 26, "top": 12, "bottom": 4, "containLabel": True},
            "tooltip": {"trigger": "axis"},
            "xAxis": {"type": "category", "data": list(self.labels)},
            "yAxis": {
                "type": "value",
                "min": axis[0],
                "max": axis[-1],
                "interval": axis[1] - axis[0],
            },
            "series": [self._drawn(series, many) for series in self.series],
        }
        if len(self.series) > 1:
            options["grid"]["top"] = 22 * len(self.series) + 8
            options["legend"] = {
                "top": 0,
                "left": 0,
                "itemWidth": 14,
                "itemHeight": 9,
                "orient": "vertical",
                "itemGap": 6,
            }
        return options

    def _drawn(self, series: Series, many: bool) -> dict[str, Any]:
        points = []
        for place, (value, link) in enumerate(zip(series.values, series.links, strict=True)):
            point: dict[str, Any] = {"value": value}
            # Links of hundreds of points would be most of the page; the table has them.
            if link and not many:
                point["link"] = link
            if place in self.incomplete and series.is_bar:
                point["itemStyle"] = {"opacity": 0.45}
            points.append(point)
        drawn: dict[str, Any] = {
            "type": "bar" if series.is_bar else "line",
            "name": series.label,
            "data": points,
        }
        if series.is_bar:
            drawn["barMaxWidth"] = 34
        else:
            drawn.update(symbolSize=6, showSymbol=not many, lineStyle={"width": 2})
        return drawn

    def svg(self) -> Markup:
        """The chart as SVG, with nothing outside it needed."""
        return _Drawing(self).svg()


class _Drawing:
    """Draws one chart into the box of WIDTH by HEIGHT."""

    def __init__(self, chart: Chart) -> None:
        self._chart = chart
        self._ticks = chart.axis
        self._low, self._high = self._ticks[0], self._ticks[-1]

    def svg(self) -> Markup:
        chart = self._chart
        parts = [
            Markup(
                '<svg viewBox="0 0 {} {}" width="{}" height="{}" role="img" aria-label="{}">'
            ).format(WIDTH, HEIGHT, WIDTH, HEIGHT, chart.summary),
            *self._axes(),
        ]
        bars = [series for series in chart.series if series.is_bar]
        for number, series in enumerate(chart.series):
            colour = COLOURS[number % len(COLOURS)]
            if series.is_bar:
                parts.extend(self._bars(series, colour, bars.index(series), len(bars)))
            else:
                parts.extend(self._line(series, colour))
        return Markup("").join([*parts, Markup("</svg>")])

    def _x(self, place: float) -> float:
        return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / len(self._chart.labels)

    def _y(self, value: float) -> float:
        share = (value - self._low) / (self._high - self._low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def _axes(self) -> list[Markup]:
        text = Markup(
            '<text x="{:.1f}" y="{:.1f}" font-size="11" fill="{}" text-anchor="{}">{}</text>'
        )
        parts = []
        for tick, shown in zip(self._ticks, self._chart.axis_labels, strict=True):
            y = self._y(tick)
            parts.append(
                Markup('<path d="M{} {:.1f}H{}" stroke="{}" fill="none"/>').format(
                    LEFT, y, WIDTH - RIGHT, INK if tick == 0 else LINE
                )
            )
            parts.append(text.format(LEFT - 6, y + 4, MUTED, "end", shown))
        labels = self._chart.labels
        every = max(1, math.ceil(len(labels) / 6))
        for place in range(len(labels) - 1, -1, -every):
            label = labels[place] + ("*" if place in self._chart.incomplete else "")
            parts.append(text.format(self._x(place), HEIGHT - 8, MUTED, "middle", label))
        return parts

    def _bars(self, series: Series, colour: str, number: int, count: int) -> list[Markup]:
        slot = (WIDTH - LEFT - RIGHT) / len(self._chart.labels)
        width = min(34.0, slot * 0.8 / count)
        zero = self._y(0)
        parts = []
        for place, value in enumerate(series.values):
            if value is None:
                continue
            x = self._x(place) + (number - count / 2) * width
            y = self._y(value)
            parts.append(
                Markup(
                    '<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"'
                    ' opacity="{}"><title>{}</title></rect>'
                ).format(
                    x,
                    min(y, zero),
                    max(width - 1, 0.5),
                    max(abs(zero - y), 0.5),
                    colour,
                    0.45 if place in self._chart.incomplete else 1,
                    self._title(series, place),
                )
            )
        return parts

    def _line(self, series: Series, colour: str) -> list[Markup]:
        path, pen_down = [], False
        dots = []
        for place, value in enumerate(series.values):
            if value is None:
                pen_down = False
                continue
            x, y = self._x(place), self._y(value)
            path.append(f"{'L' if pen_down else 'M'}{x:.1f} {y:.1f}")
            pen_down = True
            dots.append(
                Markup(
                    '<circle cx="{:.1f}" cy="{:.1f}" r="3" fill="{}"><title>{}</title></circle>'
                ).format(x, y, colour, self._title(series, place))
            )
        line = Markup('<path d="{}" stroke="{}" stroke-width="2" fill="none"/>')
        return [line.format("".join(path), colour), *dots]

    def _title(self, series: Series, place: int) -> str:
        shown = self._chart.show(series.values[place])
        return f"{self._chart.periods[place]} · {i18n.titled(series.label)} {shown}"


def ticks(low: float, high: float, kind: str) -> list[float]:
    """Round values on an axis from at most `low` to at least `high`, four steps or so."""
    if high <= low:
        high = low + 1
    rough = (high - low) / 4
    if kind == "seconds":
        steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 21600]
        steps += [43200, 86400, 172800, 432000, 864000]
        step = next((float(each) for each in steps if each >= rough), 0.0)
    else:
        step = 0.0
    if not step:
        size = 10.0 ** math.floor(math.log10(rough))
        step = next(size * each for each in (1, 2, 2.5, 5, 10) if size * each >= rough * 0.999)
        if kind == "count":
            step = max(1.0, math.ceil(step))
    first, last = math.floor(low / step), math.ceil(high / step - 1e-9)
    return [number * step for number in range(first, last + 1)]


def _decimals(step: float) -> int:
    """How many decimals tell apart values that are so far from each other."""
    return next((places for places in range(6) if abs(step - round(step, places)) < step / 100), 6)


def legend(chart: Chart) -> list[tuple[str, str]]:
    """The colour and the label of each series of an SVG chart."""
    return [
        (COLOURS[number % len(COLOURS)], series.label) for number, series in enumerate(chart.series)
    ]


def as_float(value: Decimal | float | int | None) -> float | None:
    """A value of a report as a chart takes it."""
    return None if value is None else float(value)
