"""Files that a run derives from others and that are damaged: they go, and the run makes them again.

Belongs here: telling such a file from a sound one. Does not belong here: the warehouse file, which
nothing but a backup or the landing zone brings back (throughline.engine.remedies).
"""

from __future__ import annotations

import duckdb

from throughline import engine
from throughline.building import state, tables
from throughline.building.manifest import damaged_manifests
from throughline.engine import remedies
from throughline.settings import Settings


def mend(settings: Settings) -> list[str]:
    """Remove what is damaged. Call it under the warehouse lock.

    Returns:
        A line for each file that was, for people.

    Raises:
        engine.HeldError: another program has one open.
    """
    lines = []
    if _is_damaged(settings):
        tables.drop_outgoing(settings)
        # The record speaks of tables that are gone.
        state.forget(settings)
        lines.append(f"{settings.outgoing_file.name} was damaged: it is built again")
    stamp = settings.dbt_target_dir / "manifest.stamp"
    if stamp.exists() and (damaged := damaged_manifests(stamp.parent)):
        stamp.unlink()
        lines.append(f"dbt's {' and '.join(damaged)} could not be read: dbt writes it again")
    return lines


def _is_damaged(settings: Settings) -> bool:
    if not settings.outgoing_file.exists():
        return False
    try:
        with engine.connect(settings, settings.outgoing_file, read_only=True) as connection:
            return engine.is_cut_off(connection, settings.outgoing_file)
    except duckdb.Error as error:
        if not remedies.is_damage(error):
            raise
        return True
