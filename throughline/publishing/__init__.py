"""A version: drafted from what dbt built, installed in one step, and held to its checksums.

Belongs here: the snapshot, the Parquet files, the ledger of ids, the versions that stay. Does not
belong here: what is public (the models say it), reading a version (published, serving).
"""
