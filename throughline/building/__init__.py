"""dbt: its process, what it has read, what it built, and what that proves.

Belongs here: calling dbt, the manifest, the record of builds. Does not belong here: the SQL of a
model (dbt_project), whether to publish (publishing), anything of Dagster.
"""
