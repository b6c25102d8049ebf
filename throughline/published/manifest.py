"""A published version: what its manifest says, and where its files are.

Belongs here: the manifest as a value, read and written, and the version that a content has.
Does not belong here: making a version (publishing), comparing its files with what the
manifest says of them (publishing.verification).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

from throughline.published.metrics import Metric
from throughline.settings import PUBLISHED_STORAGE_VERSION, Settings

# 1: each model has one Parquet file. 2: a large model has a folder, and each lists its files.
MANIFEST_VERSION = 2
_READABLE = frozenset({1, 2})
DATABASE_NAME = "throughline.duckdb"
MANIFEST_NAME = "manifest.json"


class PublishError(RuntimeError):
    """Nothing was published and the last good version stands; the message says what to do."""


@dataclass(frozen=True)
class PublishedColumn:
    """A column of a published model: its name, DuckDB type and description."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class PublishedFile:
    """A Parquet file of a model.

    Attributes:
        path: relative to `published/`.
        day: of a model that lies by day, the UTC day on which the conversations of its rows
            started; None for the rows without one, and for the one file of any other model.
        bytes: its size.
        sha256: its checksum, in hexadecimal.
        row_count: its rows.
    """

    path: str
    day: date | None
    bytes: int
    sha256: str
    row_count: int


@dataclass(frozen=True)
class PublishedModel:
    """A public model as it was published.

    Attributes:
        schema: `marts`, `metrics` or `reports`.
        name: the table's name.
        description: dbt's description; its first sentence states the grain.
        row_count: rows, the same in the snapshot and in the Parquet files.
        columns: in the table's order.
        parquet: the Parquet file, or the folder of a model that lies by day; relative to
            `published/`.
        files: that file, or those of the folder by name.
    """

    schema: str
    name: str
    description: str
    row_count: int
    columns: tuple[PublishedColumn, ...]
    parquet: str
    files: tuple[PublishedFile, ...]

    @property
    def grain(self) -> str:
        """The first sentence of the description."""
        return re.split(r"(?<=[.:;])\s", self.description.strip(), maxsplit=1)[0]

    @property
    def is_folder(self) -> bool:
        """Whether its Parquet is a folder with a file per day."""
        return [file.path for file in self.files] != [self.parquet]

    @property
    def parquet_bytes(self) -> int:
        """Size of its files."""
        return sum(file.bytes for file in self.files)

    @property
    def parquet_sha256(self) -> str:
        """The checksum of its file; of a folder, that of what `sha256sum *.parquet` says in it."""
        if not self.is_folder:
            return self.files[0].sha256
        said = "".join(f"{file.sha256}  {Path(file.path).name}\n" for file in self.files)
        return hashlib.sha256(said.encode()).hexdigest()

    def within(self, folder: str) -> PublishedModel:
        """The same with its paths in a folder."""
        return replace(
            self,
            parquet=f"{folder}/{self.parquet}",
            files=tuple(replace(file, path=f"{folder}/{file.path}") for file in self.files),
        )


@dataclass(frozen=True)
class Publication:
    """A published version.

    Attributes:
        data_version: derived from the content: the same content has the same version.
        run_id: the run that published it.
        published_at: when, in UTC.
        publication_no: its number in `raw.publications`.
        last_load_no: the newest load in it; 0 when there is none.
        models: the public models, by schema and name.
        metrics: what the figures mean, in the order of the columns that show them.
        database: the snapshot, relative to `published/`, in the version's own folder.
        database_bytes: its size.
        database_sha256: its checksum, in hexadecimal.
        meaning: fingerprints of the `definition` and the `registry` that the figures come from;
            empty where an older version published.
        changed: whether this call published; false when the content was already current.
        new_ids: conversation ids that this call recorded as published.
        new_merges: merges of published ids that this call recorded.
        mended: what was wrong with the files of this version, which had been published before.
        is_in_order: whether each table of the snapshot lies in its declared order, as a full build
            leaves it; a refresh does not.
        manifest_version: the form of its manifest.
    """

    data_version: str
    run_id: str
    published_at: datetime
    publication_no: int
    last_load_no: int
    models: tuple[PublishedModel, ...]
    metrics: tuple[Metric, ...]
    database: str
    database_bytes: int
    database_sha256: str
    meaning: Mapping[str, str] = field(default_factory=dict)
    changed: bool = False
    new_ids: int = 0
    new_merges: int = 0
    mended: tuple[str, ...] = ()
    is_in_order: bool = True
    manifest_version: int = MANIFEST_VERSION

    @property
    def checksums(self) -> dict[str, str]:
        """The files of the version, relative to `published/`, with their checksums."""
        return {
            self.database: self.database_sha256,
            **{file.path: file.sha256 for model in self.models for file in model.files},
        }

    @property
    def sizes(self) -> dict[str, int]:
        """The files of the version, relative to `published/`, with their sizes."""
        return {
            self.database: self.database_bytes,
            **{file.path: file.bytes for model in self.models for file in model.files},
        }

    @property
    def version_path(self) -> str:
        """The version's own folder, relative to `published/`."""
        return f"versions/{self.data_version}"


def current(settings: Settings) -> Publication | None:
    """The published version, read from `published/manifest.json`; None when there is none yet.

    Raises:
        PublishError: the manifest is there and cannot be read.
    """
    return published_in(settings.published_dir)


def published_in(folder: Path) -> Publication | None:
    """The version that a folder's manifest describes; None when there is no manifest.

    Raises:
        PublishError: the manifest is there and cannot be read.
    """
    path = folder / MANIFEST_NAME
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PublishError(
            f"{path} is not a manifest that this version understands ({error}): remove it, and the"
            " next publish writes it anew"
        ) from error


def current_or_none(settings: Settings) -> Publication | None:
    """The current version, or None when there is none or its manifest is damaged."""
    try:
        return current(settings)
    except PublishError:
        return None


def data_version_of(
    models: Sequence[PublishedModel],
    definitions: Sequence[Metric],
    manifest_version: int = MANIFEST_VERSION,
) -> str:
    """Sixteen hexadecimal digits over everything a reader can see, and nothing else."""
    content = [
        [
            model.schema,
            model.name,
            model.description,
            model.row_count,
            [[column.name, column.type, column.description] for column in model.columns],
            model.parquet_sha256,
        ]
        for model in models
    ]
    meaning = [asdict(metric) for metric in definitions]
    text = json.dumps(
        [manifest_version, PUBLISHED_STORAGE_VERSION, content, meaning], ensure_ascii=True
    )
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def to_json(publication: Publication) -> dict[str, Any]:
    """The manifest: every path in it is relative to `published/`."""
    return {
        "manifest_version": publication.manifest_version,
        "data_version": publication.data_version,
        "run_id": publication.run_id,
        "published_at": publication.published_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "publication_no": publication.publication_no,
        "last_load_no": publication.last_load_no,
        "meaning": dict(publication.meaning),
        "database": {
            "path": publication.database,
            "bytes": publication.database_bytes,
            "sha256": publication.database_sha256,
            "storage_version": PUBLISHED_STORAGE_VERSION,
            "is_in_order": publication.is_in_order,
        },
        "models": [
            {
                "schema": model.schema,
                "name": model.name,
                "grain": model.grain,
                "description": model.description,
                "row_count": model.row_count,
                "columns": [
                    {"name": column.name, "type": column.type, "description": column.description}
                    for column in model.columns
                ],
                "parquet": {
                    "path": model.parquet,
                    "bytes": model.parquet_bytes,
                    "sha256": model.parquet_sha256,
                    "files": [
                        {**asdict(file), "day": file.day and file.day.isoformat()}
                        for file in model.files
                    ],
                },
            }
            for model in publication.models
        ],
        "metrics": [asdict(metric) for metric in publication.metrics],
    }


def _from_json(manifest: Mapping[str, Any]) -> Publication:
    if manifest["manifest_version"] not in _READABLE:
        raise ValueError(f"manifest_version {manifest['manifest_version']}")
    return Publication(
        data_version=manifest["data_version"],
        run_id=manifest["run_id"],
        published_at=datetime.fromisoformat(manifest["published_at"]),
        publication_no=manifest["publication_no"],
        last_load_no=manifest["last_load_no"],
        models=tuple(
            PublishedModel(
                schema=model["schema"],
                name=model["name"],
                description=model["description"],
                row_count=model["row_count"],
                columns=tuple(PublishedColumn(**column) for column in model["columns"]),
                parquet=model["parquet"]["path"],
                files=_files(model),
            )
            for model in manifest["models"]
        ),
        # A version published before there were any says nothing of them.
        metrics=tuple(Metric(**metric) for metric in manifest.get("metrics", [])),
        database=manifest["database"]["path"],
        database_bytes=manifest["database"]["bytes"],
        database_sha256=manifest["database"]["sha256"],
        # Nor of these.
        meaning=manifest.get("meaning", {}),
        # Before there were refreshes, every version was.
        is_in_order=manifest["database"].get("is_in_order", True),
        manifest_version=manifest["manifest_version"],
    )


def _files(model: Mapping[str, Any]) -> tuple[PublishedFile, ...]:
    parquet = model["parquet"]
    # A version that an earlier release published has one file a model and does not list it.
    alone = {name: parquet[name] for name in ("path", "bytes", "sha256")}
    listed = parquet.get("files", [{**alone, "day": None, "row_count": model["row_count"]}])
    return tuple(
        PublishedFile(**{**file, "day": file["day"] and date.fromisoformat(file["day"])})
        for file in listed
    )
