"""The platform's indicators: which metric each is, and which cannot be known here.

Belongs here: the list. Does not belong here: how a metric is defined (a version publishes that with
its data), asking for one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serving.api.document import number

CONTACT, CONVERSATION = "contact", "conversation"


@dataclass(frozen=True)
class Indicator:
    """An indicator of the platform.

    Attributes:
        grain: what it counts, `contact` or `conversation`.
        metric: the metric that it is.
        description: what it is.
        per: the metric that it is divided by, where no metric is the ratio.
    """

    grain: str
    metric: str
    description: str
    per: str = ""

    def value(self, figures: Mapping[str, Any]) -> float | int | None:
        """The figure: null over nothing, and where amounts of several currencies have no sum."""
        found = figures.get(self.metric)
        if not self.per:
            return number(found)
        below = figures.get(self.per)
        return number(float(found) / below) if below and found is not None else None


INDICATORS = {
    "contact_number": Indicator(
        CONTACT, "contacts", "Contacts that started in the period, bots' included."
    ),
    "contact_unanswered_number": Indicator(
        CONTACT, "contact_unanswered", "Contacts whose respondent did not reply."
    ),
    "contact_duration": Indicator(
        CONTACT, "contact_duration_mean_seconds", "Mean seconds from start to end."
    ),
    "contact_answered_duration": Indicator(
        CONTACT,
        "contact_response_mean_seconds",
        "Mean seconds from a visitor's turn to the reply; people only.",
    ),
    "contact_answered_after_first_message_duration": Indicator(
        CONTACT,
        "contact_first_reply_mean_seconds",
        "Mean seconds from the visitor's first message, or the start, to the reply; people only.",
    ),
    "contact_closed_after_last_message_duration": Indicator(
        CONTACT,
        "contact_closing_delay_mean_seconds",
        "Mean seconds from the visitor's last message to the end; people only.",
    ),
    "contact_sent_message_number": Indicator(
        CONTACT, "contact_messages_sent", "Messages that respondents sent."
    ),
    "contact_received_message_number": Indicator(
        CONTACT, "contact_messages_received", "Messages that visitors sent."
    ),
    "transaction_after_contact_number": Indicator(
        CONTACT,
        "contact_transactions",
        "Transactions, each credited to the last who replied; a refund is none.",
    ),
    "transaction_after_contact_amount": Indicator(
        CONTACT, "contact_revenue", "Their amounts less refunds; null where currencies differ."
    ),
    "cart_after_contact_amount": Indicator(
        CONTACT,
        "contact_revenue",
        "Amounts less refunds, per transaction; null where currencies differ.",
        per="contact_transactions",
    ),
    "conversion_rate": Indicator(
        CONVERSATION,
        "conversion_rate",
        "Transactions per conversation that closed in the period.",
    ),
    "transaction_amount_per_conversation": Indicator(
        CONVERSATION,
        "revenue",
        "Amounts per conversation that closed in the period; null where currencies differ.",
        per="conversations",
    ),
}
_QUEUE = "The logs of this warehouse hold no waiting queue."
_PRESENCE = "The logs of this warehouse hold no presence of operators."
_DISPLAY = "The logs of this warehouse hold no displays of buttons and rules."
_WEBSITE = "The logs of this warehouse hold no visits and transactions without a contact."
_SATISFACTION = (
    "The platform has ended it too. The conversation resource and the reports have satisfaction."
)
UNAVAILABLE_INDICATORS = {
    **dict.fromkeys(
        (
            "contact_waiting_abort_number",
            "contact_waiting_answered_number",
            "contact_waiting_before_quit_duration",
            "contact_waiting_duration",
            "contact_waiting_number",
        ),
        _QUEUE,
    ),
    **dict.fromkeys(
        (
            "contact_missed_number",
            "contact_missed_with_busy_operators_number",
            "contact_missed_with_no_operators_number",
            "contact_simultaneous_number",
            "contact_per_hour_average_number",
            "contact_per_hour_number",
            "max_and_partial_occupation_duration",
            "max_and_partial_occupation_rate",
            "max_occupation_duration",
            "max_occupation_rate",
            "non_occupation_duration",
            "non_occupation_rate",
            "non_production_duration",
            "non_production_rate",
            "occupation_duration",
            "occupation_rate",
            "presence_duration",
            "presence_smoothed_duration",
            "presentation_duration",
            "production_duration",
            "production_smoothed_duration",
            "transaction_after_conversation_amount_per_hour",
            "transaction_missed_with_busy_operators_amount",
            "transaction_missed_with_busy_operators_number",
            "transaction_missed_with_no_operators_amount",
            "transaction_missed_with_no_operators_number",
        ),
        _PRESENCE,
    ),
    **dict.fromkeys(
        ("rule_contact_rate", "rule_display_number", "targeting_rule_triggered"), _DISPLAY
    ),
    **dict.fromkeys(
        ("cart_global_amount", "transaction_total_amount", "transaction_total_number"), _WEBSITE
    ),
    **dict.fromkeys(
        (
            "satisfaction_delay_rate",
            "satisfaction_global_rate",
            "satisfaction_resolution_rate",
            "satisfaction_respondent_number",
            "satisfaction_respondent_rate",
            "satisfaction_welcome_rate",
        ),
        _SATISFACTION,
    ),
    "transaction_after_contact_duration": "No report of this warehouse has such a figure.",
}
# The figures of each grain that an indicator is made of.
FIGURES = {
    grain: tuple(
        dict.fromkeys(
            name
            for indicator in INDICATORS.values()
            if indicator.grain == grain
            for name in (indicator.metric, indicator.per)
            if name
        )
    )
    for grain in (CONTACT, CONVERSATION)
}
