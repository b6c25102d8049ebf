"""A refresh: the conversations that new rows touch are built anew, the others stay as they are.

Belongs here: what is touched (ties, touching), the working set that dbt builds (working), putting
what it built in the place of what stood (merging), and whether a run can do it that way (planning).
Does not belong here: the SQL of a model (dbt_project), what a build proves (building), publishing.
"""
