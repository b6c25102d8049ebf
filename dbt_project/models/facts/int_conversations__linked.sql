-- One row per conversation that links joined: the load that last changed one of them.
with links as (
    select * from {{ ref('int_links__accepted') }}
),

contacts as (
    select * from {{ ref('int_contacts__indexed') }}
)

select
    contacts.conversation_key,
    max(links.load_no) as changed_load_no
from links
inner join contacts on links.from_key = contacts.contact_key
group by contacts.conversation_key
