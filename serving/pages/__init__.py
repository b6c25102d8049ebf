"""The pages that managers and analysts read.

Belongs here: one module per page, which asks the snapshot and renders a template.
Does not belong here: SQL that several pages share, markup.
"""

from fastapi import APIRouter

from serving.pages import conversation, log, overview, reports, restatements, transfers

router = APIRouter(include_in_schema=False)
for module in (overview, log, conversation, restatements, reports, transfers):
    router.include_router(module.router)

__all__ = ["router"]
