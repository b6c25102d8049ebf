"""Serving: the REST conversation resource and the pages, from the published snapshot alone.

Belongs here: everything that answers a request. It reads `published/` and nothing else.
Does not belong here: dagster, dbt, the warehouse file, and any figure's definition (the reports and
the metric models hold those; what is served is read from them).
"""
