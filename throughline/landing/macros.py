"""The forms of values, as patterns and as macros of the engine: what every column would repeat.

Belongs here: what a timestamp, a number, a list looks like in a file, and the SQL that takes it
apart. Does not belong here: which column has which form, and why a row is rejected (conversion).
"""

from __future__ import annotations

# ASCII white space; DuckDB's trim without this argument removes spaces only.
# DuckDB knows no escape for the vertical tab but its number.
_WHITE_SPACE = "e' \\t\\r\\n\\f\\x0b'"

# How nearly every source writes an instant: DuckDB's cast reads it as it is.
_DATE = r"\d{4}-\d\d-\d\d"
_TIME = r"\d\d:\d\d(:[0-5]\d(\.\d+)?)?"
_OFFSET = r"Z|[+-]\d\d(:?\d\d)?"
_INSTANT = rf"{_DATE}([T ]{_TIME}({_OFFSET})?)?"
# The other ways that ISO 8601 allows, which are rewritten first.
_OTHER_TIME = r"(\d\d(:\d\d(:\d\d([.,]\d+)?)?)?|\d{4}(\d\d([.,]\d+)?)?)"
_OTHER_INSTANT = rf"({_DATE}|\d{{8}})([Tt ]{_OTHER_TIME}([Zz]|[+\x{{2212}}-]\d\d(:?\d\d)?)?)?"
_PARTS = r"^(\d{4})-?(\d\d)-?(\d\d)(?:.(\d\d)(?::?(\d\d)(?::?(\d\d)(?:[.,](\d+))?)?)?(.*))?$"
_PART_NAMES = "['year', 'month', 'day', 'hour', 'minute', 'second', 'fraction', 'offset']"
# A leap second comes at the end of a UTC hour, and the clocks of the world differ by quarters.
_LEAP_MINUTES = "'14', '29', '44', '59'"

# What can be told from a value in no form that is read: a pattern, what to call the value.
FORMS_NOT_TAKEN = {
    "?week": (r"\d{4}-?[Ww]\d\d(-?\d)?([Tt ].*)?", "a week date"),
    "?ordinal": (r"\d{4}-?\d{3}([Tt ].*)?", "an ordinal date (the day of the year)"),
    "?reduced": (r"\d{4}(-\d\d)?", "a date without its day"),
    "?fraction": (
        rf"({_DATE}|\d{{8}})[Tt ]\d\d(:?\d\d)?[.,]\d+([Zz]|[+-].*)?",
        "a time with a fraction of an hour or minute",
    ),
    "?years": (r"[+-]\d{5,}-?\d\d-?\d\d([Tt ].*)?", "a date with a sign before its year"),
    "?span": (r"[Pp][Tt]?\d.*|\d{4}.*/.*", "a span of time"),
}
_UNIX_TIME = r"-?\d{9,}(\.\d+)?"

# Contract, section 2: what is outside stands for "none". A day off both ends of what databases and
# spreadsheets put there, so that no time zone moves one in.
FIRST_REAL = "1970-01-02"
BEHIND_LAST_REAL = "2200-01-01"
_NUMBER = r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?"
# A data frame with gaps in it turns booleans into 1.0 and 0.0.
_TRUE = "'true', 't', 'yes', 'y', '1', '1.0'"
_FALSE = "'false', 'f', 'no', 'n', '0', '0.0'"

# What would otherwise be repeated for every column. Trimming walks through the whole text, so the
# first and the last character say whether there is anything to trim.
#
# The form of a timestamp: what begins with '?' is none, '' has no offset, all else is the offset as
# written. A wall clock never has a sign behind its minutes, so a sign there begins an offset.
MACROS = f"""
create or replace temporary macro landing_is_blank(value) as
    value < '!' and trim(value, {_WHITE_SPACE}) = '';
create or replace temporary macro landing_text_or_null(value) as
    case when value < '!' and trim(value, {_WHITE_SPACE}) = '' then null else value end;
create or replace temporary macro landing_bare(value) as
    case
        when value < '!' or right(value, 1) < '!' then nullif(trim(value, {_WHITE_SPACE}), '')
        else value
    end;
create or replace temporary macro landing_bare_instant(value) as
    case
        when value < '!' or right(value, 1) < '!' or right(value, 1) = ']'
            then nullif(trim(replace(value, '[Etc/UTC]', ''), {_WHITE_SPACE}), '')
        else value
    end;
create or replace temporary macro landing_is_number(value) as
    regexp_full_match(value, '{_NUMBER}');
create or replace temporary macro landing_list(value) as
    nullif(cast(to_json(list_filter(
        list_transform(
            case
                when value is null then cast([] as varchar[])
                -- A text that merely begins with a bracket is no array.
                when starts_with(landing_bare(value), '[') and json_valid(value)
                    then json_extract_string(value, '$[*]')
                else string_split(value, ',')
            end,
            lambda item: landing_bare(item)
        ),
        lambda item: item is not null
    )) as varchar), '[]');
create or replace temporary macro landing_boolean(value) as
    case when lower(value) in ({_TRUE}) then true when lower(value) in ({_FALSE}) then false end;
create or replace temporary macro landing_rewritten(value) as
    -- A list of one: whatever is made of the parts, they are found once.
    list_transform(
        [regexp_extract(value, '{_PARTS}', {_PART_NAMES})],
        lambda parts:
            case
                when parts['hour'] = '' then concat_ws('-', parts.year, parts.month, parts.day)
                when parts['second'] = '60' and parts['minute'] in ({_LEAP_MINUTES})
                    then coalesce(strftime(
                        try_cast(concat(
                            parts.year, '-', parts.month, '-', parts.day,
                            ' ', parts['hour'], ':', parts['minute'], ':59'
                        ) as timestamp) + interval 1 second,
                        '%Y-%m-%dT%H:%M:%S'
                    ), value)
                else concat(
                    parts.year, '-', parts.month, '-', parts.day, 'T', parts['hour'],
                    ':', coalesce(nullif(parts['minute'], ''), '00'),
                    ':', coalesce(nullif(parts['second'], ''), '00')
                )
            end
            || case when parts.fraction = '' then '' else '.' || parts.fraction end
            || upper(replace(parts.offset, '\u2212', '-'))
    )[1];
create or replace temporary macro landing_iso(value) as
    case
        when value is null or regexp_full_match(value, '{_INSTANT}') then value
        when regexp_full_match(value, '{_OTHER_INSTANT}') then landing_rewritten(value)
        {
    " ".join(
        f"when regexp_full_match(value, '{pattern}') then '{name}'"
        for name, (pattern, _) in FORMS_NOT_TAKEN.items()
    )
}
        when regexp_full_match(value, '{_UNIX_TIME}') then '?unix'
        else '?'
    end;
create or replace temporary macro landing_form(value) as
    case
        when value is null then null
        when value[1] = '?' then value
        when right(value, 1) = 'Z' then 'Z'
        when contains(substr(value, 17), '+') or contains(substr(value, 17), '-')
            then regexp_extract(value, '[+-][0-9:]+$')
        else ''
    end;
create or replace temporary macro landing_offset_is_real(form) as
    cast(form[2:3] as integer) <= 18
    and (length(form) <= 3 or cast(form[-2:] as integer) <= 59);
create or replace temporary macro landing_offset_minutes(form) as
    case when form[1] = '-' then -1 else 1 end * (
        cast(form[2:3] as integer) * 60
        + case when length(form) > 3 then cast(form[-2:] as integer) else 0 end
    );
create or replace temporary macro landing_instant(value, form) as
    case
        -- No day has this year, and databases write it for none: 0000-00-00.
        when value[1:4] = '0000' then timestamp '0001-01-01'
        when form = '' then try_cast(value as timestamp)
        when form = 'Z'
            then coalesce(try_cast(value as timestamp), try_cast(left(value, -1) as timestamp))
        when form[1] = '?' then null
        when landing_offset_is_real(form)
            then try_cast(left(value, -length(form)) as timestamp)
                - to_minutes(landing_offset_minutes(form))
    end;
create or replace temporary macro landing_is_real(instant) as
    instant >= timestamp '{FIRST_REAL}' and instant < timestamp '{BEHIND_LAST_REAL}';
"""
