"""The two reports as people read them: which rows, what each figure means, how it is shown.

Belongs here: reading the report models, describing their measures, charts, links to the
conversations behind a figure, and the copies that are sent by mail. Does not belong here: how a
figure is computed (the models do that), HTTP (`pages.reports`).
"""
