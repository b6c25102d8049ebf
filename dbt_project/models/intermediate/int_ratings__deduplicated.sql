{{ config(materialized='view') }}

-- One row per answer. Answers carry no updated_at: the time of the answer orders their versions.
{{ current_versions(
    ref('int_ratings__standardised'),
    key=['source', 'rating_id'],
    version='answered_at',
    columns=['score', 'comment', 'contact_id', 'question_code'],
) }}
