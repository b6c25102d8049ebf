"""Every text that a page shows is in every language, and no translation is left over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po

from serving import i18n
from serving.snapshot import Snapshot
from throughline.settings import REPOSITORY

SERVING = REPOSITORY / "serving"
METHODS = [("templates/**.html", "jinja2.ext.babel_extract"), ("**.py", "python")]
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "mark": None}


def _texts() -> set[str]:
    found: set[str] = set()
    for _, _, message, _, _ in extract_from_dir(
        SERVING,
        METHODS,
        {"templates/**.html": {"extensions": "jinja2.ext.i18n", "trimmed": "0"}},
        KEYWORDS,
    ):
        found.update(message if isinstance(message, tuple) else (message,))
    return found - {""}


def _catalogs(language: str) -> Iterator[Path]:
    yield from sorted((SERVING / "locale" / language).glob("*.po"))


def _translated(language: str) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for file in _catalogs(language):
        with file.open("rb") as opened:
            for message in read_po(opened, locale=language):
                if not message.id:
                    continue
                assert not message.fuzzy, (file.name, message.id)
                ids = message.id if isinstance(message.id, tuple) else (message.id,)
                strings = message.string if isinstance(message.string, tuple) else (message.string,)
                for id_ in ids:
                    found[id_] = strings
    return found


@pytest.mark.parametrize("language", [name for name in i18n.LANGUAGES if name != "en"])
def test_every_text_is_translated(language: str) -> None:
    translated = _translated(language)
    missing = sorted(text for text in _texts() if not all(translated.get(text, ("",))))
    assert not missing


@pytest.mark.parametrize("language", [name for name in i18n.LANGUAGES if name != "en"])
def test_no_translation_is_left_over(language: str, snapshot: Snapshot) -> None:
    # The words of the metrics come with the data.
    defined = {
        text
        for metric in snapshot.metrics.values()
        for text in (
            metric.label,
            metric.description,
            metric.unit,
            metric.source,
            metric.source.partition(", ")[0],
        )
    }
    assert sorted(set(_translated(language)) - _texts() - defined) == []


@pytest.mark.parametrize("language", [name for name in i18n.LANGUAGES if name != "en"])
def test_a_translation_fills_in_the_same_values(language: str) -> None:
    for text, strings in _translated(language).items():
        for string in strings:
            assert set(re.findall(r"%\(\w+\)s", string)) <= set(re.findall(r"%\(\w+\)s", text)) | {
                "%(n)s",
                "%(num)s",
            }, text


@pytest.mark.parametrize("language", [name for name in i18n.LANGUAGES if name != "en"])
def test_no_two_catalogs_translate_a_text_differently(language: str) -> None:
    seen: dict[str, tuple[str, object]] = {}
    for file in _catalogs(language):
        with file.open("rb") as opened:
            for message in read_po(opened, locale=language):
                if not message.id:
                    continue
                key = str(message.id)
                assert seen.get(key, (file.name, message.string))[1] == message.string, (
                    key,
                    file.name,
                    seen[key][0],
                )
                seen[key] = (file.name, message.string)


# Words that were in use beside the one that the pages say.
NOT_FRENCH = r"\bclos(?:e|es)?\b|répondue?s par un humain"
# A plain space before a sign that wants one which breaks no line.
BREAKABLE = r" [;:!?»]|« "


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Clôturées : 3", "Clôturées\u00a0: 3"),
        ("Vraiment ? Oui !", "Vraiment\u202f? Oui\u202f!"),
        ("un ; deux", "un\u202f; deux"),
        ("« ainsi »", "«\u00a0ainsi\u00a0»"),
    ],
)
def test_a_french_sign_has_a_space_that_breaks_no_line(written: str, shown: str) -> None:
    assert i18n._typeset(written) == shown


def test_french_has_its_spaces_and_one_word_for_one_thing() -> None:
    before = i18n.language()
    i18n.use("fr")
    try:
        # The plural of a text has no translation of its own.
        shown = {text: i18n.gettext(text) for text in _translated("fr")}
    finally:
        i18n.use(before)
    said = {french for text, french in shown.items() if french != text}
    assert len(said) > len(shown) / 2
    assert not {text for text in said if re.search(BREAKABLE, text)}
    assert not {text for text in said if re.search(NOT_FRENCH, text, re.I)}
    # A colon after a word is French only with a space; one in an address or a time has none.
    assert not {text for text in said if re.search(r"\w[:;!?](?: |$)", text)}
