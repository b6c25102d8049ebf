"""What the codes of the marts are called where people read them.

Belongs here: one English text per code, translated where it is shown. Does not belong here: what a
code means for a figure (the models say that). A code that is not listed is shown as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from serving import i18n
from serving.i18n import mark

AUTOMATION = {
    "not_automated": mark("Not automated"),
    "partially_automated": mark("Partially automated"),
    "fully_automated": mark("Fully automated"),
}
AGENT_KINDS = {
    "human": mark("Human"),
    "expert": mark("Expert"),
    "bot": mark("Bot"),
    "system": mark("System"),
}
CHANNELS = {
    "chat": mark("Chat"),
    "call": mark("Phone call"),
    "video": mark("Video"),
    "sms": mark("SMS"),
    "whatsapp": mark("WhatsApp"),
    "facebook": mark("Facebook"),
    "facebook_business_on_messenger": mark("Messenger"),
    "google_business_messages": mark("Google Business Messages"),
    "instagram": mark("Instagram"),
    "twitter": mark("X (Twitter)"),
    "social": mark("Social network"),
    "apple_business_chat": mark("Apple Messages"),
    "mobile_app": mark("Mobile app"),
    "email": mark("E-mail"),
}
STATUSES = {
    "open": mark("open"),
    "waiting": mark("waiting"),
    "closed": mark("closed"),
    "expired": mark("waited too long"),
}
END_REASONS = {
    "transfer": mark("transfer"),
    "snooze": mark("snooze"),
    "close": mark("closing"),
    "timeout": mark("timeout"),
    "expired": mark("waiting too long"),
}
TRANSFER_KINDS = {
    "manual": mark("by hand"),
    "bot_escalation": mark("bot escalation"),
    "bot_handover": mark("hand-over to a bot"),
}
OUTCOMES = {
    "accepted": mark("accepted"),
    "failed": mark("failed"),
    "abandoned": mark("abandoned"),
    "pending": mark("nobody has taken it yet"),
    "unknown": mark("outcome unknown"),
    "asked": mark("asked for"),
}
REJECTIONS = {
    "self_link": mark("the contact names itself"),
    "visitor_mismatch": mark("two different visitors"),
    "gap_too_long": mark("too long a gap"),
}
GRAINS = {
    "day": mark("Day"),
    "week": mark("Week"),
    "month": mark("Month"),
}
# Why a published figure changed.
CAUSES = {
    "merge": mark("two conversations became one"),
    "late_contact": mark("a contact came late"),
    "correction": mark("a contact was corrected"),
    "transfer": mark("a transfer came or changed"),
    "expiry": mark("what waited has closed"),
    "message": mark("messages came or changed"),
    "rating": mark("a rating came or changed"),
    "transaction": mark("a transaction came or changed"),
    "definition": mark("the definitions changed"),
    "registry": mark("the registry changed"),
    "agent": mark("an agent’s record changed"),
}
QUESTIONS = {
    "csat": mark("Satisfaction"),
    "nps": mark("Recommendation (NPS)"),
    "comment": mark("Comment"),
}
EVIDENCE = {
    "transfer": mark("a transfer"),
    "previous_contact": mark("a contact that names the one before it"),
    "conversation_ref": mark("a shared reference of the platform"),
    "policy": mark("a change of the link policy"),
}
ID_KINDS = {
    "conversation": mark("conversation"),
    "former_conversation": mark("former conversation"),
    "contact": mark("contact"),
    "missing_contact": mark("missing contact"),
}
FINDINGS = {
    "self_link": mark("A contact names itself as its origin or target."),
    "cycle": mark("The hand-overs go in a circle; the order in time counts."),
    "missing_contact": mark("A link names a contact that no log has delivered."),
    "several_accepted_targets": mark("A contact was handed over to several contacts."),
    "several_origins": mark("A contact continues several contacts."),
    "overlap": mark("A contact started before the one before it had ended."),
    "negative_gap": mark("A contact started before the transfer to it was asked for."),
    "negative_duration": mark("A contact ended before it started."),
    "negative_first_reply": mark("A contact was answered before it started, as its log has it."),
    "message_outside_contact": mark("Messages lie outside their contact; no duration counts them."),
    "message_under_several_contacts": mark("Messages came under other contacts as well."),
    "shared_reference": mark("More than three visitors share a reference that links contacts."),
    "reused_contact_id": mark("The source had used the id of the contact before."),
    "oversized_component": mark("Unusually many contacts are linked."),
    "rejected_link": mark("A link was set aside by the source's policy."),
}
# Findings whose value is a span in seconds.
FINDINGS_IN_SECONDS = frozenset(
    {"overlap", "negative_gap", "negative_duration", "negative_first_reply", "rejected_link"}
)
SYSTEM_MESSAGES = {
    "OPERATOR_CHAT_CLOSE": mark("The respondent closed the chat."),
    "OPERATOR_TRANSFER": mark("The respondent transferred the chat."),
}


def status(conversation: Mapping[str, Any]) -> str:
    """Where a conversation stands: a name in STATUSES; what expired is closed."""
    if conversation["is_closed"]:
        return "closed"
    return "waiting" if conversation["is_waiting"] else "open"


def label(texts: Mapping[str, str], code: str | None) -> str:
    """A code in the reader's language; itself when it is not listed, a dash when there is none.

    Codes are looked up in any case: the platform's own interfaces write CHAT for chat.
    """
    if code is None:
        return i18n.NOTHING
    found = texts.get(code) or texts.get(code.lower())
    return i18n.gettext(found) if found else code
