"""The generator of raw logs with a known truth: a sample to read, any volume to measure.

Belongs here: logs, and what a pipeline has to find in them. Does not belong here: anything that
reads logs.

`python -m seeds.generator` (that is `make sample`) writes the committed sample again:
about 2,000 conversations of three invented sources over 60 days that hold both the European and
the American clock change, in six logs and seven file formats, below `seeds/sample_logs`, and what a
pipeline has to find in them below `seeds/sample_truth`. The same seed gives the same bytes.

    python -m seeds.generator --out build/logs --conversations 300 --seed 7
    python -m seeds.generator --out build/logs --with-bad-rows

With `--contacts` it streams Parquet of any size (volume mode), computed by DuckDB from the same
rates:

    python -m seeds.generator --contacts 10_000_000 --messages-per-contact 8 --out build/logs
    python -m seeds.generator --contacts 100_000 --shape chain --out build/logs

In volume mode 30 % of all contacts end by an accepted transfer (so chain lengths are geometric and
there are about 0.68 conversations per contact), 2 % end by a snooze and come back, 3 % of those
that are not transferred ask for it in vain, and 0.5 % of contacts and transfers come twice. The
same seed and DuckDB version give the same bytes, on any number of threads.

Each landing zone gets its truth beside it, in the folder of the same name with `_truth`.

The modules: `world` (who there is, how often what happens), `phrases` (what people write), `draw`
(chance), `stories` (what happened), `delivery` (what of it arrives, when and how often), `encoding`
(file formats), `truth`, `sample` and `volume` (the two modes), `__main__` (the command).
"""
