"""Landing: raw log files become rows of the raw tables, each file once and whole.

Belongs here: the names that the rest of the project uses. Does not belong here: any code. Nothing
in this package imports Dagster or dbt.
"""

from orchestration.landing.database import connect, prepare
from orchestration.landing.errors import ConservationError, LandingError
from orchestration.landing.ledger import RejectedFile
from orchestration.landing.loading import LogSummary, land_log
from orchestration.landing.logs import LOGS, Column, Kind, Log
from orchestration.landing.vocabulary import load_vocabulary
from orchestration.landing.watching import anything_new, reject_unrecognised

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
]
