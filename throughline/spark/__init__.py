"""Apache Spark as what builds the models: what it reads, what it left, and what it needs.

Belongs here: the files that lie between DuckDB and Spark, in both directions, and looking whether
Spark can be started. Does not belong here: how Spark spells SQL (dbt_project/macros/engine), its
options (profiles.yml), the models, publishing.

The layout, below `Settings.spark_dir`:

    raw/<log>/load_no=<number>.parquet   the rows of one load: written once
    raw/<table>/all.parquet              a ledger: written again by each build
    registry/<table>/all.parquet         a file of the registry: the same
    built/<schema>.db/<model>/           what the last build made
    target/                              dbt's, for the public views, which DuckDB makes
"""
