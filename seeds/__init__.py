"""Reference data and sample raw logs, and the generator that makes the latter.

Belongs here: what stands in for a user's logs and registry, and the vocabularies. Does not belong
here: anything that reads them (throughline.landing, dbt_project).
"""
