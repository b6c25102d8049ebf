"""What the answers look like: the models that the OpenAPI document is made of.

Belongs here: names, types and meanings of what is answered. Does not belong here: making it.

Answers are not passed through these models: the tests compare every kind of answer with the OpenAPI
document instead, which forbids any member that is not described.
"""

from serving.api.schemas.conversations import ChangeList, ConversationAnswer, ConversationList
from serving.api.schemas.figures import StatisticAnswer
from serving.api.schemas.frame import Failure
from serving.api.schemas.resources import RESOURCE_MODELS

__all__ = [
    "RESOURCE_MODELS",
    "ChangeList",
    "ConversationAnswer",
    "ConversationList",
    "Failure",
    "StatisticAnswer",
]
