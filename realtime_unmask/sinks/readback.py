"""What a reader finds in a file that was just written."""

from __future__ import annotations

from pathlib import Path

from realtime_unmask.errors import MediaError
from realtime_unmask.media import DECODER_FAULTS, open_input, packets_of


def count_packets(path: Path) -> int:
    """How many whole packets of pictures `path` has; 0 where it cannot be opened."""
    try:
        with open_input(path) as container:
            packets = packets_of(container, [container.streams.video[0]])
            return sum(1 for packet in packets if not packet.is_corrupt)
    except (MediaError, IndexError, *DECODER_FAULTS):
        return 0


def count_pictures(path: Path) -> int:
    """How many pictures of `path` a player shows before its end or the first fault."""
    pictures = 0
    try:
        with open_input(path) as container:
            for picture in container.decode(container.streams.video[0]):
                if picture.is_corrupt:
                    break
                pictures += 1
    except (MediaError, IndexError, *DECODER_FAULTS):
        pass
    return pictures
