"""Dagster and the commands: what starts, follows and tells of a run.

Belongs here: what exists for Dagster (`defs/`), its instance, the command line and what it says.
Does not belong here: any step's own work (throughline), anything that answers people (serving).
"""
