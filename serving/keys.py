"""`python -m serving.keys`: makes, lists and removes the keys of the REST resource and the pages.

Belongs here: the file of keys and comparing with it. Does not belong here: HTTP.

A key is 256 random bits, so its SHA-256 is as hard to reverse as the key is to guess; the file
holds the hash alone and the key is shown once.
"""

from __future__ import annotations

import argparse
import hashlib
import hmac
import json
import os
import secrets
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from orchestration.settings import ServingSettings, SettingError, load_serving_settings

KEY_BYTES = 32
ENVIRONMENT_NAME = "API_KEY"


def hashed(key: str) -> str:
    """The SHA-256 of a key, in hexadecimal."""
    return hashlib.sha256(key.encode("utf-8")).hexdigest()


class Keys:
    """The keys that open the server.

    The file is read again when it changes, so that a removed key closes without a restart.
    """

    def __init__(self, settings: ServingSettings) -> None:
        self._file = settings.keys_file
        self._fixed = {ENVIRONMENT_NAME: hashed(settings.api_key)} if settings.api_key else {}
        self._seen: tuple[int, int] | None = None
        self._read: dict[str, str] = {}

    def all(self) -> Mapping[str, str]:
        """Hashes by name.

        Raises:
            SettingError: the file cannot be read.
        """
        try:
            status = self._file.stat()
        except OSError:
            self._seen, self._read = None, {}
        else:
            seen = (status.st_ino, status.st_mtime_ns)
            if seen != self._seen:
                self._read = {name: entry["sha256"] for name, entry in load(self._file).items()}
                self._seen = seen
        return {**self._read, **self._fixed}

    def name_of(self, key: str) -> str | None:
        """The name of a key, None when it is none. Takes the same time whichever it is."""
        digest, found = hashed(key), None
        for name, known in self.all().items():
            if hmac.compare_digest(digest, known):
                found = name
        return found


def load(file: Path) -> dict[str, dict[str, str]]:
    """The entries of the file of keys by name; none when there is no file.

    Raises:
        SettingError: it cannot be read.
    """
    if not file.exists():
        return {}
    try:
        entries = json.loads(file.read_text(encoding="utf-8"))
        return {
            str(name): {"sha256": str(entry["sha256"]), "created_at": str(entry["created_at"])}
            for name, entry in entries.items()
        }
    except (OSError, ValueError, KeyError, AttributeError, TypeError) as error:
        raise SettingError(
            f"{file}: the keys cannot be read ({error}): restore the file, or remove it and make"
            " new keys with `python -m serving.keys add NAME`"
        ) from None


def _store(file: Path, entries: Mapping[str, Mapping[str, str]]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    temporary = file.with_suffix(".tmp")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump(entries, opened, indent=2)
        opened.write("\n")
    temporary.replace(file)


def main(arguments: Sequence[str] | None = None) -> int:
    """Manage the keys.

    Returns:
        0; 1 when the name is taken or unknown; 2 when a setting cannot be used.
    """
    parser = argparse.ArgumentParser(prog="python -m serving.keys", description=main.__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command, meaning in (
        ("add", "make a key and show it, once"),
        ("remove", "close a key"),
        ("list", "the names"),
    ):
        subparser = commands.add_parser(command, help=meaning)
        if command != "list":
            subparser.add_argument("name", help="who the key is for")
    options = parser.parse_args(arguments)
    try:
        file = load_serving_settings().keys_file
        entries = load(file)
    except SettingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.command == "list":
        for name, entry in sorted(entries.items()):
            print(f"{name}  made {entry['created_at']}")
        return 0
    if options.command == "add":
        if options.name in entries or options.name == ENVIRONMENT_NAME:
            print(f"error: there is a key named {options.name}: remove it first", file=sys.stderr)
            return 1
        key = secrets.token_urlsafe(KEY_BYTES)
        made = datetime.now(UTC).isoformat(timespec="seconds")
        _store(file, {**entries, options.name: {"sha256": hashed(key), "created_at": made}})
        print(key)
        print("Shown this once; only its hash is kept.", file=sys.stderr)
        return 0
    if options.name not in entries:
        print(f"error: there is no key named {options.name}", file=sys.stderr)
        return 1
    _store(file, {name: entry for name, entry in entries.items() if name != options.name})
    return 0


if __name__ == "__main__":
    sys.exit(main())
