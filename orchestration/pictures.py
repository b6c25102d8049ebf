"""`make pictures`: the two pictures of the README, docs/pictures/flow.svg and conversation.png.

Belongs here: drawing how the folders of the dbt project read each other, and photographing the page
of one conversation. Does not belong here: the pages (serving), the graph (dbt_project).
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

from throughline import engine
from throughline.building.manifest import read_manifest
from throughline.settings import REPOSITORY, Settings, load_settings

FOLDER = REPOSITORY / "docs" / "pictures"
FLOW = FOLDER / "flow.svg"
CONVERSATION = FOLDER / "conversation.png"
LARGEST_BYTES = 150_000

# What each stage is, from the files that land to what readers see.
STAGES = {
    "landing": "your files, each loaded once; what is rejected is kept with its reason",
    "raw": "the six logs as they came, every version, and the ledgers",
    "staging": "renamed and typed, nothing joined",
    "records": "one row per record: UTC, the version that counts, codes mapped",
    "links": "the evidence that two contacts belong together, and its verdict",
    "identity": "which contacts are one conversation, and its stable id",
    "facts": "what messages, transfers and ratings say of each",
    "marts": "conversations, contacts, transfers, messages: the public tables",
    "measures": "what a row adds to each figure",
    "metrics": "sums and percentiles by day and period",
    "reports": "conversations beside contacts, reconciled",
    "published": "proven as a whole: DuckDB, Parquet, pages, REST, exports",
}
_PUBLIC = ("marts", "metrics", "reports")

_WIDTH, _BOX, _GAP, _LEFT, _RIGHT = 860, 40, 16, 12, 130
_STYLE = """
text { font: 14px system-ui, sans-serif; fill: #1f2937 }
.name { font-weight: 600 }
rect { fill: #f3f5f9; stroke: #c5ccd8 }
.public rect { fill: #e2ecfb; stroke: #3b6fc4 }
path { fill: none; stroke: #8a94a6; stroke-width: 1.2 }
path.next { stroke: #1f4f9e; stroke-width: 2 }
#head path { fill: #1f4f9e; stroke: none }
@media (prefers-color-scheme: dark) {
svg { background: #12161d }
text { fill: #e6e9ef }
rect { fill: #1d232d; stroke: #465063 }
.public rect { fill: #1b2f50; stroke: #6f9fe8 }
path.next { stroke: #8db4f2 } #head path { fill: #8db4f2 }
}
"""
_PAGE_WIDTH = 1100
_SERVER_SECONDS = 60


def flow(manifest: Mapping[str, Any]) -> str:
    """How data flows, as SVG: a box for each folder of models, an arrow for who reads whom.

    Raises:
        KeyError: a folder of models has no place in `STAGES`.
    """
    reads = _reads(manifest)
    order = list(STAGES)
    height = len(order) * (_BOX + _GAP) - _GAP + 2 * _LEFT
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" role="img"'
        ' aria-label="How data flows, from landing to what is published">',
        f"<style>{_STYLE}</style>",
        '<defs><marker id="head" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="6"'
        ' markerHeight="6" orient="auto"><path d="M0 0 8 4 0 8z"/></marker></defs>',
    ]
    edge = _WIDTH - _RIGHT
    for above, below in sorted(reads):
        first, last = order.index(above), order.index(below)
        if last == first + 1:
            continue
        start, end = _top(first) + _BOX * 0.7, _top(last) + _BOX * 0.3
        # Facts and marts read each other: an arrow may lead back up.
        bulge = edge + 14 * abs(last - first)
        lines.append(
            f'<path d="M{edge} {start:.0f}C{bulge} {start:.0f}'
            f' {bulge} {end:.0f} {edge} {end:.0f}"/>'
        )
    for position, stage in enumerate(order):
        top = _top(position)
        kind = ' class="public"' if stage in _PUBLIC else ""
        lines.append(
            f'<g{kind}><rect x="{_LEFT}" y="{top}" width="{edge - _LEFT}" height="{_BOX}" rx="6"/>'
            f'<text class="name" x="{_LEFT + 12}" y="{top + 25}">{stage}</text>'
            f'<text x="{_LEFT + 108}" y="{top + 25}">{STAGES[stage]}</text>'
            "</g>"
        )
        if position:
            lines.append(
                '<path class="next" marker-end="url(#head)"'
                f' d="M{_LEFT + 40} {top - _GAP}v{_GAP - 1}"/>'
            )
    return "\n".join([*lines, "</svg>"]) + "\n"


def _top(position: int) -> int:
    return _LEFT + position * (_BOX + _GAP)


def _reads(manifest: Mapping[str, Any]) -> set[tuple[str, str]]:
    """Which stages read which: no numbers, so that a new model is no new drawing."""
    stage_of = dict.fromkeys(manifest["sources"], "raw")
    models = {
        name: node for name, node in manifest["nodes"].items() if node["resource_type"] == "model"
    }
    stage_of |= {name: node["path"].split("/")[0] for name, node in models.items()}
    if unknown := set(stage_of.values()) - STAGES.keys():
        raise KeyError(f"say in orchestration/pictures.py what {', '.join(sorted(unknown))} is")
    reads = {(stage, "published") for stage in _PUBLIC}
    for name, node in models.items():
        reads |= {
            (stage_of[parent], stage_of[name])
            for parent in node["depends_on"]["nodes"]
            if parent in stage_of and stage_of[parent] != stage_of[name]
        }
    return reads


def transferred_conversation(settings: Settings) -> str:
    """The published conversation that shows most in least room.

    A bot hands over to a human, who hands over to another; the visitor rates it.

    Raises:
        LookupError: there is none.
    """
    with engine.connect(settings, settings.published_file, read_only=True) as connection:
        found = connection.execute(
            """
            select conversation_id
            from marts.conversations
            where is_closed and is_escalated and contact_count = 3 and transfer_count = 2
                and human_contact_count = 2 and csat_score is not null and nps_score is not null
            order by language = 'en' desc, messages_sent_count + messages_received_count,
                started_at, conversation_id
            limit 1
            """
        ).fetchone()
    if found is None:
        raise LookupError("no published conversation has what the picture shows: run the sample")
    return str(found[0])


def photograph(browser: Any, address: str, conversation_id: str, file: Path) -> None:
    """Take the page of a conversation, down to its transfers, in English and light colours."""
    context = browser.new_context(
        viewport={"width": _PAGE_WIDTH, "height": 800},
        locale="en-GB",
        timezone_id="UTC",
        color_scheme="light",
    )
    page = context.new_page()
    page.goto(f"{address}/conversations/{quote(conversation_id)}")
    page.wait_for_load_state("networkidle")
    rest = page.locator("#transfers").bounding_box()
    clip = {"x": 0, "y": 0, "width": _PAGE_WIDTH, "height": rest["y"] - 8}
    page.screenshot(path=str(file), full_page=True, clip=clip)
    context.close()


@contextmanager
def _server(settings: Settings) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    process = subprocess.Popen(
        [sys.executable, "-m", "serving", "--port", str(port)],
        cwd=REPOSITORY,
        env={**os.environ, **settings.environment()},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + _SERVER_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                urllib.request.urlopen(f"{address}/health", timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def main(arguments: Sequence[str] | None = None) -> int:
    """Make both pictures, or with `--flow` the drawing alone, which needs no browser."""
    parser = argparse.ArgumentParser(prog="make pictures", description=__doc__)
    parser.add_argument("--flow", action="store_true", help="only how data flows")
    options = parser.parse_args(arguments)
    settings = load_settings()
    FOLDER.mkdir(parents=True, exist_ok=True)
    FLOW.write_text(flow(read_manifest(settings)), encoding="utf-8")
    print(f"{FLOW.relative_to(REPOSITORY)} written")
    if options.flow:
        return 0
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None or not settings.published_file.exists():
        print(
            "the photograph needs Chromium (Debian: chromium) and a published sample (make run)",
            file=sys.stderr,
        )
        return 1
    from playwright.sync_api import sync_playwright

    with _server(settings) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
        )
        photograph(browser, address, transferred_conversation(settings), CONVERSATION)
        browser.close()
    print(f"{CONVERSATION.relative_to(REPOSITORY)} written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
