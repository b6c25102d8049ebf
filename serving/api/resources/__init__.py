"""The smaller resources of the platform: lists and details out of the marts, by one machinery.

Belongs here: what each resource is (its rows, its members, its filters), and reading any of them.
Does not belong here: conversations, changes and statistics, which are read in their own ways; HTTP.

A resource has the platform's members under the platform's names. What no log of this warehouse
holds is there and null, and a filter on it matches nothing: nothing has a value there. An id means
something only inside its source, so every item says its source.
"""

from serving.api.resources.declared import RESOURCES, UNKNOWABLE
from serving.api.resources.declaring import Member, Resource
from serving.api.resources.reading import many, one

__all__ = ["RESOURCES", "UNKNOWABLE", "Member", "Resource", "many", "one"]
