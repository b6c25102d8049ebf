"""The smaller resources, each with its rows, its members and its filters.

Belongs here: what each resource is, and what the platform has that no log of this warehouse holds.
Does not belong here: reading any of them (`reading`).
"""

from __future__ import annotations

from serving.api.parameters import (
    filter_row,
)
from serving.api.resources.declaring import (
    FLAG,
    ID,
    IDS,
    MOMENT,
    NUMBER,
    TEXTS,
    UNKNOWN,
    Member,
    Resource,
)
from serving.filters import to_conversation

_WEBSITES = filter_row("website_id", "Projects, several with commas.", "101", is_list=True)
_OPERATORS = filter_row("operator_id", "Operators, several with commas.", "12", is_list=True)
_CONVERSATION = filter_row(
    "conversation_id",
    "Any id of a conversation; `null` for those of none, `!null` for those of one.",
    "310001",
)
# Of each conversation, its project.
_OF_CONVERSATION = to_conversation("found", kind="left")
_PROJECTS = "list(distinct project_id order by project_id) filter (project_id is not null)"

RESOURCES = (
    Resource(
        name="website",
        title="Websites: the projects of the registry, and those that a contact names",
        rows=(
            "select source, project_id as id, coalesce(project_name, project_id) as label,"
            " coalesce(project_name, project_id) as name, currency, time_zone as timezone"
            " from marts.projects"
        ),
        members=(
            Member("url", "The address.", UNKNOWN),
            Member("label", "The name; the id where the registry has none."),
            Member("name", "The same as `label`."),
            Member("client_id", "The client.", UNKNOWN),
            Member("currency", "The currency of amounts that state none."),
            Member("language_admin", "The language of its administration.", UNKNOWN),
            Member("timezone", "The clock by which its days are counted."),
        ),
        filters=(filter_row("label", "The name; `*` stands for any text.", "*uli*"),),
    ),
    Resource(
        name="operator",
        title="Operators: people, experts and bots, of the agents log or of a contact",
        rows=(
            "with agents as (select source, agent_id as id, agent_kind, display_name, group_id"
            " from marts.agents qualify row_number() over (partition by source, agent_id"
            " order by is_current desc, valid_from desc nulls last) = 1),"
            " taken as (select source, agent_id as id, max(agent_kind) as agent_kind,"
            f" max(group_id) as group_id, {_PROJECTS} as website_list"
            " from marts.contacts where agent_id is not null group by source, agent_id)"
            " select source, id, agents.display_name as name, agents.display_name as pseudo,"
            " coalesce(agents.agent_kind, taken.agent_kind) as agent_kind,"
            " coalesce(agents.group_id, taken.group_id) as group_id,"
            " coalesce(taken.website_list, []) as website_list"
            " from agents full join taken using (source, id)"
        ),
        members=(
            Member("name", "The name that visitors see."),
            Member("first_name", "The first name.", UNKNOWN),
            Member("pseudo", "The same as `name`."),
            Member("email", "The mail address.", UNKNOWN),
            Member("external_id", "The id that the customer gave.", UNKNOWN),
            Member("role", "The first of `roles`."),
            Member("roles", "`operator` or `expert`; none of a bot.", TEXTS),
            Member("agent_kind", "`human`, `expert`, `bot` or `system`."),
            Member("chat_enabled", "Whether it takes chats.", UNKNOWN),
            Member("call_enabled", "Whether it takes calls.", UNKNOWN),
            Member("video_enabled", "Whether it takes videos.", UNKNOWN),
            Member("chat_max_number", "How many chats it takes at a time.", UNKNOWN),
            Member("chat_and_call", "Whether it takes a chat and a call at a time.", UNKNOWN),
            Member("chat_priority", "Its priority for chats.", UNKNOWN),
            Member("call_priority", "Its priority for calls.", UNKNOWN),
            Member("video_priority", "Its priority for videos.", UNKNOWN),
            Member("language_list", "Its languages.", UNKNOWN),
            Member("language_admin", "The language of its administration.", UNKNOWN),
            Member("group_id", "Its group.", ID),
            Member("website_list", "The projects of its contacts.", IDS),
            Member("skill_list", "Its skills.", UNKNOWN),
            Member("sso_key", "Its token.", UNKNOWN),
        ),
        filters=(
            filter_row("id", "Operators, several with commas.", "12", is_list=True),
            filter_row("group_id", "Groups, several with commas.", "4", is_list=True),
            filter_row(
                "website_list",
                "Projects of its contacts, several with commas.",
                "101,102",
                is_list=True,
                aliases=("website_id",),
            ),
            filter_row("skill_id", "A skill. No log holds them, so it matches nothing.", "3"),
            filter_row("name", "The name; `*` stands for any text.", "*uli*"),
            filter_row("external_id", "No log holds it, so it matches nothing.", "a1"),
        ),
    ),
    Resource(
        name="group",
        title="Groups of operators, of the agents log or of a contact",
        rows=(
            "with members as (select source, group_id, agent_id, group_name, is_current, valid_from"
            " from marts.agents union all"
            " select source, group_id, agent_id, null, false, null from marts.contacts)"
            " select source, group_id as id, coalesce(last(group_name order by is_current,"
            " valid_from nulls first) filter (group_name is not null), group_id) as name,"
            " coalesce(list(distinct agent_id order by agent_id)"
            " filter (agent_id is not null), []) as operator_list"
            " from members where group_id is not null group by source, group_id"
        ),
        members=(
            Member("name", "The name; the id where no log has one."),
            Member("created_at", "When it was made.", UNKNOWN),
            Member("parent_id", "The group above.", UNKNOWN),
            Member("operator_list", "Who is or was in it.", IDS),
            Member("parent_list", "The groups above.", UNKNOWN),
        ),
        filters=(filter_row("parent_id", "No log holds it, so it matches nothing.", "1987"),),
    ),
    Resource(
        name="tag",
        title="Tags that a contact carries",
        rows=(
            f"select source, tag as id, tag as name, coalesce({_PROJECTS}, []) as website_id"
            " from (select source, project_id, unnest(tags) as tag from marts.contacts)"
            " group by source, tag"
        ),
        members=(
            Member("name", "The same as the id: the logs have no other name."),
            Member("website_id", "The projects of its contacts.", IDS),
        ),
        filters=(_WEBSITES,),
    ),
    Resource(
        name="visitor",
        title="Visitors of the contacts",
        rows=(
            "select source, visitor_id as id, visitor_id as unique_id,"
            f" coalesce({_PROJECTS}, []) as website_id, min(started_at) as created_at"
            " from marts.contacts where visitor_id is not null group by source, visitor_id"
        ),
        members=(
            Member("unique_id", "The same as the id."),
            Member("external_id", "The id that the customer gave.", UNKNOWN),
            Member("lastname", "The last name.", UNKNOWN),
            Member("firstname", "The first name.", UNKNOWN),
            Member("address", "The street.", UNKNOWN),
            Member("city", "The city.", UNKNOWN),
            Member("zip", "The postal code.", UNKNOWN),
            Member("country", "The country.", UNKNOWN),
            Member("phone", "The number.", UNKNOWN),
            Member("email", "The mail address.", UNKNOWN),
            Member("browser", "The browser.", UNKNOWN),
            Member("website_id", "The projects of the visitor's contacts.", IDS),
            Member("created_at", "The start of the first contact.", MOMENT),
        ),
        filters=(
            filter_row("unique_id", "Visitors, several with commas.", "9bfb6325", is_list=True),
            filter_row("external_id", "No log holds it, so it matches nothing.", "a1"),
            _WEBSITES,
        ),
    ),
    Resource(
        name="transaction",
        title="Transactions; a negative amount is a refund",
        rows=(
            "select found.source, found.transaction_id as id, found.visitor_id as visitor_uid,"
            " found.amount, found.currency, found.occurred_at as created_at,"
            " conversations.project_id as website_id, found.credited_agent_id as operator_id,"
            " found.conversation_id, found.contact_id"
            f" from marts.transactions as found{_OF_CONVERSATION}"
        ),
        members=(
            Member("external_id", "The id that the shop gave.", UNKNOWN),
            Member("visitor_uid", "The visitor."),
            Member("visitor_email", "The mail address of the visitor.", UNKNOWN),
            Member("amount", "The amount.", NUMBER),
            Member("currency", "Its currency."),
            Member("created_at", "When it happened.", MOMENT),
            Member("website_id", "The project of its conversation.", ID),
            Member("operator_id", "To whom it is credited: the last who replied.", ID),
            Member("conversation_id", "Its conversation."),
            Member("contact_id", "The contact that the log names.", ID),
        ),
        filters=(_WEBSITES, _OPERATORS, _CONVERSATION),
        moment="created_at",
    ),
    Resource(
        name="satisfaction",
        title="Answers of visitors to the questions of the satisfaction survey",
        rows=(
            "select found.source, found.rating_id as id, found.question, found.score,"
            " found.comment, found.answered_at as created_at, found.is_counted,"
            " conversations.project_id as website_id, contacts.agent_id as operator_id,"
            " found.conversation_id, found.contact_id"
            f" from marts.ratings as found{_OF_CONVERSATION}"
            " left join marts.contacts as contacts"
            " on found.conversation_started_at = contacts.conversation_started_at"
            " and found.source = contacts.source and found.contact_id = contacts.contact_id"
        ),
        members=(
            Member("note_welcome", "The old survey's note on the welcome.", UNKNOWN),
            Member("note_resolution", "The old survey's note on the resolution.", UNKNOWN),
            Member("node_delay", "The old survey's note on the delay.", UNKNOWN),
            Member("question", "`csat`, `nps` or `comment`."),
            Member("score", "From 1 to 5, or from 0 to 10 of `nps`.", NUMBER),
            Member("comment", "What the visitor wrote."),
            Member("created_at", "When it was given.", MOMENT),
            Member("website_id", "The project of its conversation.", ID),
            Member("operator_id", "The operator of its contact.", ID),
            Member("conversation_id", "Its conversation."),
            Member("contact_id", "Its contact.", ID),
            Member("is_counted", "Whether it is the one that counts for its question.", FLAG),
        ),
        filters=(_WEBSITES, _OPERATORS, _CONVERSATION),
        moment="created_at",
    ),
    Resource(
        name="restatement",
        title="Published figures that a later publication changed",
        rows=(
            "select source, md5(concat_ws('|', publication_no, report, coalesce(period_grain, ''),"
            " coalesce(period_start, date '0001-01-01'), coalesce(dimension, ''),"
            " coalesce(source, ''), coalesce(dimension_value, ''), measure, cause,"
            " was_provisional)) as id, cast(publication_no as varchar) as publication_no,"
            " restated_at as created_at, report,"
            " period_grain, cast(period_start as varchar) as period_start, dimension,"
            " dimension_value, measure, from_value, to_value, was_provisional, cause,"
            " conversation_count, cell_count from reports.restatements"
        ),
        members=(
            Member("publication_no", "The number of the publication that changed it."),
            Member("created_at", "When the newest load of that publication was made.", MOMENT),
            Member("report", "`statistical_report` or `contacts_report`."),
            Member("period_grain", "`day`, `week` or `month`; null for many figures at once."),
            Member("period_start", "The first day of the period."),
            Member("dimension", "What the row of the report is split by."),
            Member("dimension_value", "Its value."),
            Member("measure", "The column of the report."),
            Member("from_value", "What it was.", NUMBER),
            Member("to_value", "What it is.", NUMBER),
            Member("was_provisional", "Whether the row was called provisional.", FLAG),
            Member("cause", "Why it changed: a word of the published model's `cause`."),
            Member("conversation_count", "How many conversations are behind it.", NUMBER),
            Member("cell_count", "How many figures it stands for.", NUMBER),
        ),
        filters=(
            filter_row("publication_no", "Publications, several with commas.", "12", is_list=True),
            filter_row("report", "The report.", "contacts_report"),
            filter_row("period_grain", "The length of the period.", "day"),
            filter_row("dimension", "What the row is split by.", "all"),
            filter_row("measure", "The column of the report.", "conversations"),
            filter_row("cause", "Causes, several with commas.", "late_contact", is_list=True),
        ),
        moment="created_at",
        is_over_sources=True,
    ),
)
_NO_LOG = "No log of this warehouse holds"
# What the platform has and this warehouse cannot know, by path, with the reason.
UNKNOWABLE = {
    "/client": f"{_NO_LOG} clients. The websites are at /website.",
    "/client/{id:text}": f"{_NO_LOG} clients. The websites are at /website.",
    "/skill": f"{_NO_LOG} skills.",
    "/skill/{id:text}": f"{_NO_LOG} skills.",
    "/callmeeting": f"{_NO_LOG} call meetings.",
    "/callmeeting/{id:text}": f"{_NO_LOG} call meetings.",
    "/operator/live": f"{_NO_LOG} who is available now: this warehouse is not live.",
    "/operator/{id:text}/live": f"{_NO_LOG} who is available now: this warehouse is not live.",
    "/operator/{id:text}/profile": f"{_NO_LOG} profiles of operators.",
    "/operator/{id:text}/statistic": (
        f"{_NO_LOG} the experience of operators. Their figures are at /statistic, with"
        " filters[resource]=operator."
    ),
}
