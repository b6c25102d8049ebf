"""Landing: raw log files become rows of the raw tables, each file once and whole.

Belongs here: the names that the rest of the project uses. Does not belong here: any code. Nothing
in this package imports Dagster or dbt.
"""

from throughline.landing.database import connect, prepare
from throughline.landing.errors import ConservationError, LandingError
from throughline.landing.files import walk
from throughline.landing.ledger import RejectedFile
from throughline.landing.loading import land_log
from throughline.landing.logs import LOGS, Column, Kind, Log
from throughline.landing.summary import LogSummary
from throughline.landing.vocabulary import load_vocabulary
from throughline.landing.watching import anything_new, reject_unrecognised

__all__ = [
    "LOGS",
    "Column",
    "ConservationError",
    "Kind",
    "LandingError",
    "Log",
    "LogSummary",
    "RejectedFile",
    "anything_new",
    "connect",
    "land_log",
    "load_vocabulary",
    "prepare",
    "reject_unrecognised",
    "walk",
]
