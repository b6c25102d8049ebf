"""What exists, for Dagster: assets, checks, the job and what starts it.

Belongs here: definitions. Does not belong here: the work behind them (throughline).

Each module holds one `@dg.definitions` function and nothing loose beside it: Dagster drops loose
assets of such a module without a word. No module here defers annotations (`from __future__ import
annotations`): Dagster reads them when it loads.
"""
