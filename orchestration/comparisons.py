"""`throughline verify --sample` and `--all`: what they say, and their exit status.

Belongs here: words. Does not belong here: the work (throughline.refreshing.verifying).
"""

from __future__ import annotations

import random
import sys

from orchestration.narrator import Narrator
from orchestration.wording import counted
from throughline.building.report import BuildError
from throughline.engine import HeldError, locks
from throughline.landing.registry import RegistryError
from throughline.refreshing import verifying
from throughline.refreshing.ties import TooFarError
from throughline.settings import SettingError, load_settings

SUCCEEDED, FAILED, CANNOT_START, BUSY = 0, 1, 2, 75


def compare(sample: int | None, seed: int | None) -> int:
    """Rebuild beside what stands, and compare. Gives the exit status.

    Args:
        sample: how many conversations; None for all.
        seed: of the choice among them; drawn, and told, without one.
    """
    narrator = Narrator()
    chosen = random.randrange(2**31) if seed is None else seed
    try:
        settings = load_settings()
        what = "every conversation"
        if sample is not None:
            what = f"{counted(sample, 'conversation')} (--seed {chosen})"
        narrator.say(f"Building {what} a second time; a run that starts now waits for the end")
        with locks.warehouse(settings):
            found = verifying.verify(settings, sample=sample, seed=chosen, tell=narrator.paced())
    except (
        BuildError,
        HeldError,
        RegistryError,
        SettingError,
        TooFarError,
        locks.LockTimeout,
        verifying.NotComparableError,
    ) as error:
        Narrator(sys.stderr).say(str(error))
        if isinstance(error, (SettingError, RegistryError)):
            return CANNOT_START
        return BUSY if isinstance(error, locks.LockTimeout | HeldError) else FAILED
    narrator.note(
        f"{counted(found.conversations, 'conversation')}, {counted(found.rows, 'row')} compared"
    )
    if not found.differing:
        narrator.say("What stands is what a rebuild makes")
        return SUCCEEDED
    narrator = Narrator(sys.stderr)
    for model, rows in found.differing.items():
        narrator.say(f"{model}: {counted(rows, 'row')} of what stands and of a rebuild differ")
    for difference in found.differences:
        narrator.note(str(difference))
    narrator.say("`throughline rebuild` builds everything again, and publishes it")
    return FAILED
