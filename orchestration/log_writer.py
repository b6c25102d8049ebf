"""`python -m orchestration.log_writer NAME`: puts what it reads into a log file that rotates.

Belongs here: the log of a command that prints and knows no log files, which Dagster's is. Does not
belong here: what the server logs; it writes its file itself.

It ends when whoever writes to it has ended, and before that for nothing: a full disk costs lines of
the log, and not the one who writes them.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys

from throughline.engine import log_files
from throughline.settings import REPOSITORY, SettingError, Settings, load_settings


def take_over(settings: Settings, name: str) -> None:
    """Send what this process and its children print from now on to a log of the settings.

    Nothing changes where they name none.

    Raises:
        SettingError: nobody may write there.
    """
    handler = log_files.rotating(settings, name)
    if handler is None:
        return
    handler.close()
    writer = subprocess.Popen(
        [sys.executable, "-m", "orchestration.log_writer", name],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        cwd=REPOSITORY,
        env={**os.environ, **_given(settings)},
        # Ctrl-C is for the others: it hears their last words.
        start_new_session=True,
    )
    assert writer.stdin is not None, "it was asked for"
    sys.stdout.flush()
    sys.stderr.flush()
    for stream in (1, 2):
        os.dup2(writer.stdin.fileno(), stream)


def _given(settings: Settings) -> dict[str, str]:
    return {
        "LOG_DIR": str(settings.log_dir),
        "LOG_FILE_SIZE": settings.log_file_size,
        "LOG_FILES": str(settings.log_files),
    }


def main(name: str) -> int:
    """Write until there is nothing more to read. Gives the exit status."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # What cannot be written is lost, without a word: there is nowhere to say it.
    logging.raiseExceptions = False
    try:
        handler = log_files.rotating(load_settings(), name)
    except SettingError as error:
        print(error, file=sys.stderr)
        return 2
    if handler is None:
        return 0
    for line in sys.stdin.buffer:
        text = line.decode("utf-8", errors="replace").rstrip("\n")
        handler.emit(logging.LogRecord(name, logging.INFO, "", 0, text, None, None))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
