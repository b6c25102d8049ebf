"""What lies in `published/`, as the one who writes it and those who read it both know it.

Belongs here: names and places, the manifest, the definitions of the metrics in it. Does not belong
here: making a version (publishing), answering from one (serving).
"""
