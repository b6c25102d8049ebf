"""Exports: the result of a question as CSV, XLSX, JSONL or Parquet, streamed.

Belongs here: writing files for people and programs out of the snapshot. `jobs` says what is
exported, `worker` writes it in a process of its own, `stream` answers a request with it, `files`
puts it into a file, `log` holds the tables of the conversation log.
Does not belong here: which conversations (`filters`), pages.

A page that exports a small table of its own answers with
`stream.export(request, snapshot, [Table("statistics", sql, values)], format_name, name)`.
"""
