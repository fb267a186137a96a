"""The unseen painter: masks for judging, which no network was trained on.

It thinks otherwise than the training's painter, and shares no code, constant or texture with it:
a mask is cut on the surface of a head in three dimensions, lifted off it, posed on the face,
lit by the light that the face shows, and rendered; its fabrics are computed.
"""

from training.unseen.things import hide
from training.unseen.wear import Worn, wear

__all__ = ["Worn", "hide", "wear"]
