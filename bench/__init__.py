"""Benchmarks: the whole pipeline against hand-written DuckDB, and its component step against scipy.

Belongs here: making inputs, running and measuring programs, comparing what they wrote, the report.
Does not belong here: anything that the product needs when it runs; the time of single functions.
"""
