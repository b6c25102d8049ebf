"""README's table of what to touch is true: each row is done in a copy of the checkout, and works.

Belongs here: one addition for each row, all in one copy, and one run over the small example logs.
Does not belong here: what the project does without them.

A figure and a measure are added by saying again, under another name, what the files of the row say
of one that is there: whatever else would have to be touched makes the run fail.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from harness import REPOSITORY

MODELS = "dbt_project/models"
OLD, NEW = "bounced", "bounced_again"
# By row of README's table: the files that are touched.
TOUCHED = {
    "a source": [],
    "a word of a source for a code": ["dbt_project/seeds/codes.csv"],
    'a word of a source for "no id"': ["dbt_project/seeds/placeholders.csv"],
    "a metric": [
        f"{MODELS}/marts/conversations.yml",
        f"{MODELS}/metrics/metrics.md",
        f"{MODELS}/measures/int_conversations__measured.sql",
        "dbt_project/macros/reports.sql",
        f"{MODELS}/metrics/conversation_metrics.yml",
        f"{MODELS}/reports/statistical_report.yml",
    ],
    "a measure of a report page": ["serving/reports/statistics.py", "serving/locale/fr/reports.po"],
    "a page": [
        "serving/pages/greeting.py",
        "serving/pages/__init__.py",
        "serving/templates/greeting.html",
        "serving/locale/fr/greeting.po",
    ],
    "a report": [f"{MODELS}/reports/tiny_report.sql", f"{MODELS}/reports/tiny_report.yml"],
    "a check of the data": ["dbt_project/tests/assert_nobody_is_called_anna.sql"],
}
ROWS = re.findall(
    r"^\| (.+?) \| (.+) \|$",
    (REPOSITORY / "README.md")
    .read_text(encoding="utf-8")
    .partition("| to add | touch |\n|---|---|\n")[2]
    .partition("\n\n")[0],
    re.M,
)
PAGE = '''"""`/greeting`: a page that a test added."""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from serving.snapshot import Snapshot
from serving.web import current_snapshot, page

router = APIRouter()


@router.get("/greeting")
def greeting(
    request: Request, snapshot: Annotated[Snapshot, Depends(current_snapshot)]
) -> Response:
    """The page."""
    return page(request, "greeting.html", section="overview")
'''
CATALOG = (
    'msgid ""\nmsgstr ""\n"Language: fr\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'
    'msgid "A greeting"\nmsgstr "Une salutation"\n'
)
ASK = """
import sys
from fastapi.testclient import TestClient
from serving.app import create_app
from throughline.settings import load_serving_settings
app = create_app(load_serving_settings())
client = TestClient(app, base_url="http://localhost", client=("127.0.0.1", 50000))
with client:
    for address in sys.argv[1:]:
        language, _, path = address.partition(":")
        answer = client.get(path, headers={"Accept-Language": language})
        print(answer.status_code, answer.text)
"""


@dataclass(frozen=True)
class Addition:
    """The copy with everything added, and what its run said."""

    root: Path
    environment: dict[str, str]
    told: str

    def published(self, query: str) -> list[tuple[Any, ...]]:
        """Rows of the published snapshot."""
        file = self.root / ".warehouse/published/throughline.duckdb"
        with duckdb.connect(str(file), read_only=True) as connection:
            return connection.execute(query).fetchall()

    def asked(self, *addresses: str) -> str:
        """What the server of the copy answers."""
        return ran(self.root, self.environment, "-c", ASK, *addresses)


def ran(root: Path, environment: dict[str, str], *arguments: str) -> str:
    """Run Python in the copy; gives what it said."""
    done = subprocess.run(
        [sys.executable, *arguments], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    return done.stdout


def say_again(path: Path) -> None:
    """Say of `NEW` whatever the file says of `OLD`: the lines and lists of SQL, the items of YAML,
    the blocks of documentation."""
    lines, found, waiting, indent = path.read_text(encoding="utf-8").splitlines(), [], [], -1
    renamed = re.compile(rf"(?<![a-z_]){OLD}\b|(?<=metric_){OLD}\b|(?<=\.){OLD}\b")
    for line in lines:
        depth = len(line) - len(line.lstrip())
        if waiting and line.strip() and depth <= indent:
            found, waiting = found + waiting, []
        if waiting:
            # A label is one metric's alone.
            waiting.append(re.sub(r"(label: .*)", r"\1 again", renamed.sub(NEW, line)))
        elif path.suffix == ".yml" and re.fullmatch(rf"\s*- name: {OLD}", line):
            waiting, indent = [renamed.sub(NEW, line)], depth
        elif f"'{OLD}'," in line:
            line = line.replace(f"'{OLD}',", f"'{OLD}', '{NEW}',")
        elif (path.suffix == ".sql" and renamed.search(line)) or f"- {{name: {OLD}," in line:
            found += [line, renamed.sub(NEW, line)]
            continue
        found.append(line)
    text = "\n".join([*found, *waiting]) + "\n"
    if path.suffix == ".md":
        block = re.search(rf"{{% docs metric_{OLD} %}}.*?{{% enddocs %}}\n", text, re.S)
        assert block
        text += "\n" + renamed.sub(NEW, block[0])
    assert text.count(NEW) > path.read_text(encoding="utf-8").count(NEW), path
    path.write_text(text, encoding="utf-8")


@pytest.fixture(scope="module")
def addition(tmp_path_factory: pytest.TempPathFactory) -> Addition:
    """A copy of the checkout to which each row of the table was added, and one run of it."""
    root = tmp_path_factory.mktemp("additions") / "checkout"
    passed_over = shutil.ignore_patterns("target", "logs", "__pycache__", "sample_*")
    for name in ("dbt_project", "docs", "orchestration", "seeds", "serving", "throughline"):
        shutil.copytree(REPOSITORY / name, root / name, ignore=passed_over)
    shutil.copy(REPOSITORY / "pyproject.toml", root)
    landing = root / "docs/examples"

    # A source: a folder, and nothing else.
    shutil.copytree(landing / "tea_shop", landing / "book_shop")
    # Two words: one contact was "finished", and came from "nobody".
    contacts = next((landing / "tea_shop/contacts").iterdir())
    text = contacts.read_text(encoding="utf-8")
    contacts.write_text(text.replace(",close,", ",finished,").replace(",501,en", ",nobody,en"))
    append(root / "dbt_project/seeds/codes.csv", "end_reason,finished,close\n")
    append(root / "dbt_project/seeds/placeholders.csv", "tea_shop,nobody\n")

    for name in TOUCHED["a metric"]:
        say_again(root / name)

    measures = root / "serving/reports/statistics.py"
    line = f'        Measure("{OLD}", behind=flag("{OLD}")),\n'
    text = measures.read_text(encoding="utf-8")
    assert line in text
    text = text.replace(line, line + line.replace(f'"{OLD}", b', f'"{NEW}", b'))
    text = text.replace(
        f'                "{OLD}",\n', f'                "{OLD}",\n                "{NEW}",\n'
    )
    measures.write_text(text, encoding="utf-8")
    append(
        root / "serving/locale/fr/reports.po",
        '\nmsgid "Bounced conversations again"\nmsgstr "Conversations revenues encore"\n',
    )

    (root / "serving/pages/greeting.py").write_text(PAGE, encoding="utf-8")
    pages = root / "serving/pages/__init__.py"
    text = pages.read_text(encoding="utf-8")
    text = text.replace("import conversation,", "import conversation, greeting,")
    pages.write_text(text.replace("in (overview,", "in (greeting, overview,"), encoding="utf-8")
    (root / "serving/templates/greeting.html").write_text(
        "{% extends 'base.html' %}{% block main %}<h1>{{ _('A greeting') }}</h1>{% endblock %}"
    )
    (root / "serving/locale/fr/greeting.po").write_text(CATALOG, encoding="utf-8")

    reports = root / MODELS / "reports"
    (reports / "tiny_report.sql").write_text(
        "select source, count(*) as conversations\n"
        "from {{ ref('conversations') }}\ngroup by source\n"
    )
    (reports / "tiny_report.yml").write_text(
        "models:\n  - name: tiny_report\n    description: One row per source.\n"
        "    config: {meta: {publish: {order_by: [source]}}}\n    columns:\n"
        "      - name: source\n        data_type: string\n        description: The source.\n"
        "      - name: conversations\n        data_type: bigint\n        description: How many.\n"
    )
    (root / TOUCHED["a check of the data"][0]).write_text(
        "{{ config(severity='warn') }}\n-- Anna is a name for the test of this very row.\n"
        "select agent_id\nfrom {{ ref('agents') }}\nwhere display_name = 'Anna'\n"
    )

    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("DBT_", "DAGSTER_", "THROUGHLINE_", "PYTEST_"))
    } | {
        "LANDING_DIR": str(landing),
        "WAREHOUSE_DIR": str(root / ".warehouse"),
        "REGISTRY_DIR": str(root / "seeds/registry"),
        "PYTHONPATH": str(root),
        "SCHEDULED_EXPORTS": "off",
        "UNIT_TESTS": "off",
        "DO_NOT_TRACK": "1",
        "DAGSTER_DISABLE_TELEMETRY": "1",
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    return Addition(root, environment, ran(root, environment, "-m", "orchestration", "run"))


def append(path: Path, line: str) -> None:
    """Add a line to a file."""
    path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n" + line, encoding="utf-8")


def test_the_table_says_how_many_files_each_addition_touches() -> None:
    assert [row for row, _ in ROWS] == list(TOUCHED)
    for row, said in ROWS:
        number = re.match(r"(\d+) (files?|row)", said)
        assert number, said
        assert int(number[1]) == len(TOUCHED[row]), row


def test_a_source_is_a_folder(addition: Addition) -> None:
    assert addition.published(
        "select source, count(*) from marts.conversations group by source order by source"
    ) == [("book_shop", 1), ("tea_shop", 1)]


def test_a_word_for_a_code_and_one_for_no_id_are_a_row_each(addition: Addition) -> None:
    assert addition.published(
        "select source, end_reason from marts.contacts where contact_id = '503' order by source"
    ) == [("book_shop", "close"), ("tea_shop", "close")]
    # Without the row "nobody" would be a missing contact.
    assert addition.published(
        "select distinct contact_count, missing_contact_count from marts.conversations"
    ) == [(3, 0)]


def test_a_metric_comes_out_in_report_manifest_and_page_of_metrics(addition: Addition) -> None:
    rows = addition.published("select bounced, bounced_again from reports.statistical_report")
    assert rows
    assert all(old == new for old, new in rows)
    manifest = json.loads((addition.root / ".warehouse/published/manifest.json").read_bytes())
    assert NEW in json.dumps(manifest["metrics"])
    ran(addition.root, addition.environment, "-m", "orchestration.metrics_page")
    assert f"`{NEW}`" in (addition.root / "docs/metrics.md").read_text(encoding="utf-8")


def test_a_page_and_a_measure_are_served_in_both_languages(addition: Addition) -> None:
    page, columns = "/greeting", "/reports/statistics?columns=transfers"
    english = addition.asked(f"en:{page}", f"en:{columns}")
    french = addition.asked(f"fr:{page}", f"fr:{columns}")
    assert "<h1>A greeting</h1>" in english
    assert "<h1>Une salutation</h1>" in french
    assert "Bounced conversations again" in english
    assert "Conversations revenues encore" in french


def test_a_report_is_published_and_a_check_is_asked(addition: Addition) -> None:
    assert addition.published("select * from reports.tiny_report order by source") == [
        ("book_shop", 1),
        ("tea_shop", 1),
    ]
    assert "assert_nobody_is_called_anna" in addition.told
