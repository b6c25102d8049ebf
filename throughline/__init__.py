"""The warehouse: from raw logs to a published version, with no scheduler and no server.

Belongs here: what `orchestration` runs and `serving` reads. Each folder is a floor and imports only
those below it: publishing, building, landing, published, engine, settings (`make check` holds it).
Does not belong here: anything of Dagster (orchestration), anything that answers people (serving).
"""
