"""The reader's language: texts, numbers, dates and durations.

Belongs here: choosing the language, translating, formatting for it. Does not belong here: texts
(they stand where they are shown, in English, and in `locale/<language>/*.po`), markup.

The language of a request is kept in a context variable, so that templates and functions format
without being handed it. Babel knows the locales.
"""

from __future__ import annotations

import gettext as gettext_module
import io
import re
from contextvars import ContextVar
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from babel import Locale
from babel.core import negotiate_locale
from babel.dates import format_date, format_datetime, format_time
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import format_currency, format_decimal, format_percent

LANGUAGES = ("en", "fr")
# English as the world outside America writes it: days before months, 24 hours.
LOCALES = {"en": "en_GB", "fr": "fr_FR"}
NAMES = {"en": "English", "fr": "Français"}
FOLDER = Path(__file__).parent / "locale"
NOTHING = "–"

_language: ContextVar[str] = ContextVar("language", default="en")


def language() -> str:
    """The language of this request."""
    return _language.get()


def use(chosen: str) -> None:
    """Set the language of this request; an unknown one is English."""
    _language.set(chosen if chosen in LANGUAGES else "en")


def choose(asked: str, remembered: str, accepted: str) -> str:
    """The language to answer in.

    Args:
        asked: what the address asks for.
        remembered: what the reader chose before.
        accepted: the header Accept-Language.
    """
    for wanted in (asked, remembered):
        if wanted in LANGUAGES:
            return wanted
    weighted = []
    for part in accepted.split(",")[:20]:
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighted.append((float(weight or 1), tag.replace("-", "_")))
        except ValueError:
            continue
    preferred = [tag for _, tag in sorted(weighted, key=lambda pair: -pair[0])]
    return negotiate_locale(preferred, LANGUAGES) or "en"


@cache
def _translations(name: str) -> gettext_module.NullTranslations:
    found: gettext_module.NullTranslations = gettext_module.NullTranslations()
    for file in sorted((FOLDER / name).glob("*.po")):
        with file.open("rb") as opened:
            catalog = read_po(opened, locale=name)
        if name == "fr":
            for message in catalog:
                text = message.string
                message.string = (
                    _typeset(text) if isinstance(text, str) else tuple(map(_typeset, text or ()))
                )
        compiled = io.BytesIO()
        write_mo(compiled, catalog)
        compiled.seek(0)
        translations = gettext_module.GNUTranslations(compiled)
        translations.add_fallback(found)
        found = translations
    return found


def _typeset(text: str) -> str:
    """French text with the spaces that its punctuation wants, none of which breaks a line.

    A catalogue is written with plain ones.
    """
    text = re.sub(" ([;!?])", "\u202f\\1", text)
    return re.sub("« | [:»]", lambda found: found[0].replace(" ", "\u00a0"), text)


def titled(label: str) -> str:
    """A label before what it is the label of: with a colon, as the language writes it."""
    return gettext("%(label)s:") % {"label": label}


def quoted() -> tuple[str, str]:
    """The marks before and after what somebody else wrote."""
    before, _, after = gettext("“%(text)s”").partition("%(text)s")
    return before, after


def gettext(message: str) -> str:
    """The message in the reader's language; itself when it has no translation."""
    return _translations(language()).gettext(message) if message else ""


def ngettext(singular: str, plural: str, count: int) -> str:
    """The message that fits the count, in the reader's language."""
    return _translations(language()).ngettext(singular, plural, count)


def mark(message: str) -> str:
    """Mark a text that is translated later, where it is shown."""
    return message


def _locale() -> Locale:
    return _parsed(language())


@cache
def _parsed(name: str) -> Locale:
    return Locale.parse(LOCALES[name])


def number(value: float | Decimal | None, decimals: int = 0) -> str:
    """A number, such as `1,234.5`; a dash when there is none."""
    if value is None:
        return NOTHING
    pattern = "#,##0" + ("." + "0" * decimals if decimals else "")
    return format_decimal(value, format=pattern, locale=_locale())


def percent(value: float | None, decimals: int = 1) -> str:
    """A share between 0 and 1 as a percentage."""
    if value is None:
        return NOTHING
    places = "." + "0" * decimals if decimals else ""
    space = "\u00a0" if language() == "fr" else ""
    return format_percent(value, format=f"#,##0{places}{space}%", locale=_locale())


def signed(value: float | None, decimals: int = 0) -> str:
    """A number with its sign, such as `+12` or `−3`."""
    if value is None:
        return NOTHING
    shown = number(abs(value), decimals)
    if value > 0:
        return f"+{shown}"
    return f"\u2212{shown}" if value < 0 else shown


def money(value: float | Decimal | None, currency: str | None) -> str:
    """An amount; without a currency, the plain number."""
    if value is None:
        return NOTHING
    if not currency or len(currency) != 3 or not currency.isalpha():
        return number(value, 2)
    return format_currency(value, currency.upper(), locale=_locale())


def duration(seconds: float | None) -> str:
    """A span, in the two largest units: `45 s`, `3 min 05 s`, `2 h 10 min`, `3 d 4 h`."""
    if seconds is None:
        return NOTHING
    sign, total = ("\u2212" if seconds < 0 else ""), round(abs(seconds))
    day = "j" if language() == "fr" else "d"
    if total < 60:
        shown = f"{total}\u00a0s"
    elif total < 3600:
        shown = f"{total // 60}\u00a0min\u00a0{total % 60:02d}\u00a0s"
    elif total < 86400:
        shown = f"{total // 3600}\u00a0h\u00a0{total % 3600 // 60:02d}\u00a0min"
    else:
        shown = f"{total // 86400}\u00a0{day}\u00a0{total % 86400 // 3600}\u00a0h"
    return sign + shown


def short_duration(seconds: float, step: float = 60) -> str:
    """A span on an axis whose values are `step` seconds apart: `30 s`, `1 min 30 s`, `2 h`."""
    if seconds == 0:
        return "0"
    if step < 1:
        return f"{number(seconds, 1)}\u00a0s"
    day = "j" if language() == "fr" else "d"
    parts, left = [], round(abs(seconds))
    for size, unit in ((86400, day), (3600, "h"), (60, "min"), (1, "s")):
        if left >= size:
            parts.append(f"{number(left // size)}\u00a0{unit}")
            left %= size
    return ("\u2212" if seconds < 0 else "") + "\u00a0".join(parts)


def zone(name: str | None) -> ZoneInfo:
    """The time zone of that name; UTC when there is none such."""
    try:
        return ZoneInfo(name or "UTC")
    except (KeyError, ValueError, OSError):
        return ZoneInfo("UTC")


def local(moment: datetime, zone_name: str | None) -> datetime:
    """A UTC timestamp of a mart (without zone) in a project's time zone."""
    return moment.replace(tzinfo=UTC).astimezone(zone(zone_name))


def day(value: date | None) -> str:
    """A day, such as `2 Nov 2026`."""
    return format_date(value, format="d MMM y", locale=_locale()) if value else NOTHING


def moment(value: datetime | None, zone_name: str | None = "UTC") -> str:
    """A UTC timestamp as day and time of a project's zone, such as `2 Nov 2026, 14:05`."""
    if value is None:
        return NOTHING
    return format_datetime(local(value, zone_name), "d MMM y, HH:mm", locale=_locale())


def clock(value: datetime | None, zone_name: str | None = "UTC") -> str:
    """A UTC timestamp as the time of day of a project's zone, with seconds."""
    if value is None:
        return NOTHING
    return format_time(local(value, zone_name).time(), "HH:mm:ss", locale=_locale())


def zone_label(zone_name: str | None, at: datetime | None = None) -> str:
    """A time zone as it is shown, with its offset at a moment: `Europe/Paris (UTC+01:00)`."""
    known = zone(zone_name)
    if known.key == "UTC":
        return "UTC"
    try:
        instant = (at.replace(tzinfo=UTC) if at else datetime.now(UTC)).astimezone(known)
    except OverflowError:
        # The first or the last day of the calendar, elsewhere.
        return known.key
    minutes = int((instant.utcoffset() or timedelta()).total_seconds() // 60)
    sign = "+" if minutes >= 0 else "\u2212"
    return f"{known.key} (UTC{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d})"


def period(grain: str, start: date) -> str:
    """A reporting period, such as `2 Nov 2026`, `week 45, 2 – 8 Nov 2026` or `November 2026`."""
    if grain == "month":
        return format_date(start, format="LLLL y", locale=_locale())
    if grain == "week":
        last = start + timedelta(days=min(6, (date.max - start).days))
        first = format_date(start, format="d MMM", locale=_locale())
        week = gettext("week")
        return f"{week} {start.isocalendar().week}, {first} – {day(last)}"
    return day(start)


def short_period(grain: str, start: date) -> str:
    """A reporting period as an axis names it, such as `2 Nov`, `W45` or `Nov 2026`."""
    if grain == "month":
        return format_date(start, format="LLL y", locale=_locale())
    if grain == "week":
        return gettext("W%(week)s") % {"week": start.isocalendar().week}
    return format_date(start, format="d MMM", locale=_locale())
