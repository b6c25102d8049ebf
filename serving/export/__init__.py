"""Exports: the whole result of a filter as CSV, XLSX, JSONL or Parquet, streamed.

Belongs here: writing files for people and programs out of the snapshot.
Does not belong here: which conversations (`filters`), pages.
"""

from serving.export.routes import router

__all__ = ["router"]
