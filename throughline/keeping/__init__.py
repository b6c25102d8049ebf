"""Keeping: what a machine may lose and what it may let go.

Belongs here: backups and their restoration, and which landed files go after a while. Does not
belong here: which published versions stay (publishing.installing), Dagster's history.
"""
