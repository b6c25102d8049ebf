"""What exists, for Dagster: assets, checks, the job and what starts it.

Each module holds one `@dg.definitions` function and nothing loose beside it: Dagster drops loose
assets of such a module without a word. The work is done in the pure modules one level up. No module
here defers annotations (`from __future__ import annotations`): Dagster reads them when it loads.
"""
