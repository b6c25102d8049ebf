"""Versions on the disk: put in their place, made current in one step, and removed.

Belongs here: moving and removing folders of `published/`. Does not belong here: what is in them.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from throughline.engine.files import (
    DRAFT_PREFIX,
    discard,
    draft_beside,
    move,
    remove,
    replace_with_link,
    replace_with_symlink,
    sync,
    write,
)
from throughline.published.manifest import DATABASE_NAME, MANIFEST_NAME, Publication, to_json
from throughline.settings import Settings


def install(settings: Settings, publication: Publication, work: Path) -> None:
    """Put the version in its place and make it the current one, the manifest last."""
    published = settings.published_dir
    version = published / publication.version_path
    text = json.dumps(to_json(publication), ensure_ascii=False, indent=2) + "\n"
    write(work / MANIFEST_NAME, text, mode=0o444)
    if version.exists():
        # The same content was published before, or a run was killed right after the move below.
        # File by file, because a reader may be about to open one of them by its path.
        made = sorted(path for path in work.rglob("*") if path.is_file())
        for file in made:
            target = version / file.relative_to(work)
            if not (target.exists() and target.samefile(file)):
                move(file, target)
        for file in set(_files(version)) - {path.relative_to(work) for path in made}:
            remove(version / file)
        _sync_folders(version)
    else:
        _sync_folders(work)
        move(work, version)
    replace_with_link(version / DATABASE_NAME, published / DATABASE_NAME)
    replace_with_symlink(f"{publication.version_path}/parquet", published / "parquet")
    replace_with_link(version / MANIFEST_NAME, published / MANIFEST_NAME)
    sync(published)


@contextmanager
def leading_to(work: Path, version: Path) -> Iterator[None]:
    """Inside, the place of a version leads to the folder in which it is being made."""
    if version.exists():
        # The same content was published before: its files are there.
        yield
        return
    version.parent.mkdir(exist_ok=True)
    replace_with_symlink(str(work), version)
    try:
        yield
    finally:
        version.unlink()


def prune(settings: Settings, *, keep: str) -> None:
    """Delete all but the newest versions. A reader that has a deleted file open keeps it."""
    published = settings.published_dir

    def age(version: Path) -> tuple[bool, int]:
        try:
            manifest = json.loads((version / MANIFEST_NAME).read_text(encoding="utf-8"))
            return version.name == keep, int(manifest["publication_no"])
        except (OSError, ValueError, KeyError, TypeError):
            return version.name == keep, -1

    versions = sorted((published / "versions").iterdir(), key=age, reverse=True)
    for version in versions[settings.versions_kept :]:
        discard(version, aside=draft_beside(published / version.name))


def clean(published: Path) -> None:
    """Remove what a killed publish left behind."""
    for folder in (published, published / "ids"):
        for path in folder.glob(f"{DRAFT_PREFIX}*"):
            remove(path)
    # Of a version that was being made (`leading_to`).
    for path in (published / "versions").glob("*"):
        if path.is_symlink():
            path.unlink()


def _files(root: Path) -> Iterator[Path]:
    return (path.relative_to(root) for path in root.rglob("*") if not path.is_dir())


def _sync_folders(root: Path) -> None:
    for folder in sorted((path for path in root.rglob("*") if path.is_dir()), reverse=True):
        sync(folder)
    sync(root)
