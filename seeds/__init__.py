"""Reference data and sample raw logs, and the generator that makes the latter."""
