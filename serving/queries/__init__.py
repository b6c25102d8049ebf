"""Questions to the marts that several pages, exports and resources ask.

Belongs here: SQL over the marts, and the rows as it gives them: the log, one conversation, ids,
names, transfers. Does not belong here: which conversations (`serving.filters`), the reports'
models (`serving.reports`), links, words for readers, HTTP.
"""
