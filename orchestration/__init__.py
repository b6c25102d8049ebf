"""The Dagster side of Throughline: `defs/` says what exists, the modules beside it do the work."""
