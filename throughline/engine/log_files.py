"""Log files that give way to new ones when they are large.

Belongs here: the files of `LOG_DIR`. Does not belong here: what is logged, the logs of runs, which
are a file each.
"""

from __future__ import annotations

import logging
from logging.handlers import RotatingFileHandler

from throughline.settings import ServingSettings, SettingError, Settings


def rotating(settings: Settings | ServingSettings, name: str) -> logging.Handler | None:
    """What writes `<name>.log` in the folder of the logs; None where the settings name none.

    Raises:
        SettingError: nobody may write there.
    """
    if settings.log_dir is None:
        return None
    try:
        settings.log_dir.mkdir(parents=True, exist_ok=True)
        return RotatingFileHandler(
            settings.log_dir / f"{name}.log",
            maxBytes=settings.log_file_bytes,
            backupCount=settings.log_files - 1,
            encoding="utf-8",
            errors="backslashreplace",
        )
    except OSError as error:
        raise SettingError(
            f"LOG_DIR={str(settings.log_dir)!r} cannot be written ({error.strerror}): point it to a"
            " folder that this user may write"
        ) from error
