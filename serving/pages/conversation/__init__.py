"""`/conversations/{id}`: one conversation, every message of every respondent in order.

Belongs here: what the page shows and in which order. Does not belong here: the look-ups
(`serving.queries`).
"""

from serving.pages.conversation.page import PAGE_MESSAGES, router

__all__ = ["PAGE_MESSAGES", "router"]
