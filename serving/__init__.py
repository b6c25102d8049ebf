"""Serving: the REST conversation resource and the pages, from the published snapshot alone.

Belongs here: everything that answers a request. It reads `published/` and nothing else. The rooms
stand on one another, and each asks only those below it:

    app, places, __main__      puts the rooms together; which address takes what
    pages | api                answers for people | for programs, neither of which knows the other
    export                     files, written by a process of their own
    reports                    the two reports as people read them
    queries                    questions to the marts: the log, one conversation, ids, transfers
    filters                    which conversations: each field stated once
    web                        a page out of a template, the version of a request
    snapshot                   the versions that are published, and asking one
    security, keys, scopes     who may ask, how often, and what a key reads
    parameters, labels, i18n, addresses      values of addresses, words, places

Does not belong here: dagster, dbt, the warehouse file, and any figure's definition (the reports and
the metric models hold those; what is served is read from them).
"""
