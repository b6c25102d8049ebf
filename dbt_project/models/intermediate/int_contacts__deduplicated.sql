{{ config(materialized='view') }}

-- One row per contact, in its current version.
{{ current_versions(
    ref('int_contacts__standardised'),
    key=['source', 'contact_id'],
    version='updated_at',
    columns=[
        'ended_at', 'answered_at', 'started_at', 'agent_id', 'visitor_id', 'project_id', 'group_id',
        'conversation_ref', 'previous_contact_id', 'agent_kind_code', 'end_reason_code', 'channel',
        'language', 'tags',
    ],
    link_columns=['conversation_ref', 'previous_contact_id'],
) }}
