"""A fresh clone of this checkout with a virtual environment, for commands as people type them.

Belongs here: making the clone, and running a command in it with an empty environment. Does not
belong here: expectations of any kind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from throughline.settings import REPOSITORY

CONTACTS = """contact_id,started_at,ended_at,agent_id,agent_kind
1,2026-11-01T10:00:00Z,2026-11-01T10:05:00Z,bot,bot
2,2026-11-01T10:05:10Z,2026-11-01T10:15:00Z,anna,human
3,2026-11-02T10:05:10Z,2026-11-02T10:15:00Z,anna,human
"""
TRANSFERS = "from_contact_id,to_contact_id,requested_at\n1,2,2026-11-01T10:05:00Z\n"


@dataclass(frozen=True)
class Clone:
    """A checkout of its own at `root`; its HOME is beside it."""

    root: Path

    @property
    def warehouse_dir(self) -> Path:
        """Where a run without any setting writes."""
        return self.root / ".warehouse"

    @property
    def environment(self) -> dict[str, str]:
        """As after `env -i PATH=… HOME=… LANG=…`."""
        home = self.root.parent / "home"
        home.mkdir(exist_ok=True)
        return {"PATH": os.defpath, "HOME": str(home), "LANG": "C.UTF-8"}

    def command(self, words: Sequence[str]) -> list[str]:
        """The words with the full path of the command before them."""
        return [str(self.root / ".venv" / "bin" / words[0]), *words[1:]]

    def run(
        self, *words: str, folder: str = ".", **variables: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `.venv/bin/<words>` in a folder of the clone, and give what came of it."""
        return subprocess.run(
            self.command(words),
            cwd=self.root / folder,
            env={**self.environment, **variables},
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )


def make(root: Path, logs: dict[str, str]) -> Clone:
    """Copy what is checked in, put a landing zone of one source in place, and set it up.

    The virtual environment borrows the packages of the one that runs this.

    Args:
        root: where the clone is made.
        logs: the text of one CSV file for each log.
    """
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=REPOSITORY,
        capture_output=True,
        check=True,
    ).stdout
    for name in filter(None, listed.decode().split("\0")):
        if name.startswith(("seeds/sample_logs/", "tests/", "bench/")):
            continue
        if (REPOSITORY / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(REPOSITORY / name, root / name)
    for log, text in logs.items():
        file = root / "seeds" / "sample_logs" / "shop" / log / "a.csv"
        file.parent.mkdir(parents=True)
        file.write_text(text, encoding="utf-8")
    _borrow(root / ".venv")
    clone = Clone(root)
    done = clone.run("python", "-m", "orchestration.terminal")
    assert done.returncode == 0, done.stderr
    return clone


def _borrow(folder: Path) -> None:
    venv.create(folder, symlinks=True)
    [packages] = folder.glob("lib/python*/site-packages")
    # A line, not a folder of .pth files: the hook of the checkout that runs this stays behind.
    (packages / "borrowed.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")
    for name in ("dbt", "dagster", "dg", "sqlfluff"):
        script = Path(sys.executable).with_name(name).read_text(encoding="utf-8")
        copy = folder / "bin" / name
        copy.write_text(f"#!{folder}/bin/python\n" + script.split("\n", 1)[1], encoding="utf-8")
        copy.chmod(0o755)
