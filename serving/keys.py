"""`throughline keys`: makes, lists and removes the keys of the REST resource and the pages.

Belongs here: the file of keys and comparing with it. Does not belong here: HTTP.

A key is 256 random bits, so its SHA-256 is as hard to reverse as the key is to guess; the file
holds the hash alone and the key is shown once.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import re
import secrets
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from serving.scopes import Scope, split_project
from throughline.engine import files
from throughline.settings import ServingSettings, SettingError, load_serving_settings

KEY_BYTES = 32
ENVIRONMENT_NAME = "API_KEY"
# The members of an entry that are lists of texts.
_LISTS = ("sources", "projects", "origins")
_SOURCE = re.compile(r"[a-z0-9_]+")
# As a browser writes it, which is compared letter by letter.
_ORIGIN = re.compile(r"https?://(\[[0-9a-f:]+\]|[a-z0-9.-]+)(:[0-9]{1,5})?")


def hashed(key: str) -> str:
    """The SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class Key:
    """A key that opens the server.

    Attributes:
        name: who it is for.
        sha256: its hash.
        created_at: when it was made; empty for the one of the environment.
        sources: the sources that it reads.
        projects: the projects that it reads, each as `source/project_id`. It reads everything when
            both are empty.
        origins: the web origins whose pages may use it, each as `https://host[:port]`.
    """

    name: str
    sha256: str
    created_at: str = ""
    sources: tuple[str, ...] = ()
    projects: tuple[str, ...] = ()
    origins: tuple[str, ...] = ()

    @property
    def scope(self) -> Scope:
        """What it reads."""
        return Scope(self.sources, self.projects)

    def to_json(self) -> dict[str, object]:
        """The entry of the file of keys."""
        found: dict[str, object] = {"sha256": self.sha256, "created_at": self.created_at}
        for member in _LISTS:
            if getattr(self, member):
                found[member] = list(getattr(self, member))
        return found

    @classmethod
    def from_json(cls, name: str, entry: Mapping[str, object]) -> Key:
        """The key of an entry.

        Raises:
            ValueError: it has a member that nobody knows or that cannot be read. A bound that is
                not understood must not open everything.
        """
        unknown = set(entry) - {"sha256", "created_at", *_LISTS}
        if unknown:
            raise ValueError(f"{name}: {sorted(unknown)[0]!r} is no member of a key")
        lists: dict[str, tuple[str, ...]] = {}
        for member in _LISTS:
            given = entry.get(member, [])
            if not isinstance(given, list) or not all(isinstance(each, str) for each in given):
                raise ValueError(f"{name}: {member!r} is no list of texts")
            if member in entry and not given:
                raise ValueError(f"{name}: {member!r} is empty: take it out to read everything")
            lists[member] = tuple(given)
        made = cls(name, str(entry["sha256"]), str(entry["created_at"]), **lists)
        if problem := _problem(made):
            raise ValueError(f"{name}: {problem}")
        return made


def _problem(key: Key) -> str:
    """Why a key cannot be bound as it is; empty when it can."""
    for source in key.sources:
        if not _SOURCE.fullmatch(source):
            return f"{source!r} is no source: lower-case letters, digits and _"
    for project in key.projects:
        source, id = split_project(project)
        if not _SOURCE.fullmatch(source) or not id:
            return f"{project!r} is no project: write it as source/project_id"
        if source in key.sources:
            return f"{source!r} is there wholly, with {project!r} in it: give one of the two"
    for origin in key.origins:
        if not _ORIGIN.fullmatch(origin):
            return f"{origin!r} is no origin: write it as https://host or https://host:port"
    return ""


class Keys:
    """The keys that open the server.

    The file is read again when it changes, so that a removed key closes without a restart.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self._file = settings.keys_file
        self._fixed = [Key(ENVIRONMENT_NAME, hashed(settings.api_key))] if settings.api_key else []
        self._seen: tuple[int, int] | None = None
        self._read: list[Key] = []
        self._had_any = False

    def all(self) -> Sequence[Key]:
        """Every key.

        Raises:
            SettingError: the file cannot be read.
        """
        try:
            status = self._file.stat()
        except OSError:
            self._seen, self._read = None, []
        else:
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                self._read, self._seen = list(load(self._file).values()), seen
        found = [*self._read, *self._fixed]
        self._had_any = self._had_any or bool(found)
        return found

    @property
    def are_none(self) -> bool:
        """Whether nobody has ever been asked for a key: there is none, nor was there one since this
        server started. Taking the last key away closes the server; it does not open it.
        """
        return not self.all() and not self._had_any

    def find(self, given: str) -> Key | None:
        """The key that was given, None when it is none. Takes the same time whichever it is."""
        digest, found = hashed(given), None
        for key in self.all():
            if hmac.compare_digest(digest, key.sha256):
                found = key
        return found


def load(file: Path) -> dict[str, Key]:
    """The keys of the file by name; none when there is no file.

    Raises:
        SettingError: it cannot be read.
    """
    if not file.exists():
        return {}
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return {str(name): Key.from_json(str(name), entry) for name, entry in entries.items()}
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SettingError(
            f"{file}: the keys cannot be read ({error}): restore the file, or remove it and make"
            " new keys with `throughline keys add NAME`"
        ) from None


def _store(file: Path, keys: Iterable[Key]) -> None:
    content = json.dumps({key.name: key.to_json() for key in keys}, indent=2)
    files.write(file, content + "\n", mode=0o600)


def main(arguments: Sequence[str] | None = None) -> int:
    """Manage the keys.

    Returns:
        0; 1 when the name is taken or unknown; 2 when a setting or a bound cannot be used.
    """
    parser = argparse.ArgumentParser(
        prog="throughline keys", description="Make, list and remove the keys of the server."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for command, meaning in (
        ("add", "make a key and show it, once"),
        ("remove", "close a key"),
        ("list", "the names"),
    ):
        subparser = commands.add_parser(command, help=meaning)
        if command != "list":
            subparser.add_argument("name", help="who the key is for")
        if command == "add":
            subparser.add_argument(
                "--source",
                action="append",
                default=[],
                dest="sources",
                help="a source that the key reads; it reads everything when bound to nothing",
            )
            subparser.add_argument(
                "--project",
                action="append",
                default=[],
                dest="projects",
                metavar="SOURCE/PROJECT_ID",
                help="a project that the key reads",
            )
            subparser.add_argument(
                "--origin",
                action="append",
                default=[],
                dest="origins",
                metavar="https://HOST",
                help="a web origin whose pages may use the key (CORS)",
            )
    options = parser.parse_args(arguments)
    try:
        file = load_serving_settings().keys_file
        entries = load(file)
    except SettingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.command == "list":
        for key in sorted(entries.values(), key=lambda each: each.name):
            reads = ", ".join((*key.sources, *key.projects)) or "everything"
            pages = f"  from {', '.join(key.origins)}" if key.origins else ""
            print(f"{key.name}  made {key.created_at}  reads {reads}{pages}")
        return 0
    if options.command == "add":
        if options.name in entries or options.name == ENVIRONMENT_NAME:
            print(f"error: there is a key named {options.name}: remove it first", file=sys.stderr)
            return 1
        secret = secrets.token_urlsafe(KEY_BYTES)
        made = Key(
            options.name,
            hashed(secret),
            datetime.now(UTC).isoformat(timespec="seconds"),
            tuple(dict.fromkeys(options.sources)),
            tuple(dict.fromkeys(options.projects)),
            tuple(dict.fromkeys(options.origins)),
        )
        if problem := _problem(made):
            print(f"error: {problem}", file=sys.stderr)
            return 2
        _store(file, [*entries.values(), made])
        print(secret)
        print("Shown this once; only its hash is kept.", file=sys.stderr)
        return 0
    if options.name not in entries:
        print(f"error: there is no key named {options.name}", file=sys.stderr)
        return 1
    _store(file, [key for name, key in entries.items() if name != options.name])
    return 0


if __name__ == "__main__":
    sys.exit(main())
