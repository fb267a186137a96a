"""Pictures of a live stream, though some of its packets are broken."""

from __future__ import annotations

import time
from collections.abc import Iterator

import av
from av.container import InputContainer
from av.video.stream import VideoStream

from realtime_unmask.media import packets_of

# So many broken packets in a row are no accident any more: the stream is better opened again.
MOST_BROKEN = 30


def decodable(
    container: InputContainer, stream: VideoStream
) -> Iterator[tuple[int, av.VideoFrame]]:
    """(time.perf_counter_ns() before it was decoded, picture); what is broken is passed over.

    Raises:
        DECODER_FAULTS: the stream cannot be read on, or MOST_BROKEN packets in a row are broken.
    """
    broken = 0
    for packet in packets_of(container, [stream]):
        captured_ns = time.perf_counter_ns()
        try:
            pictures = stream.decode(packet)
        except (av.InvalidDataError, av.ArgumentError):
            broken += 1
            if broken >= MOST_BROKEN:
                raise
            continue
        broken = 0
        for picture in pictures:
            yield captured_ns, picture
    captured_ns = time.perf_counter_ns()
    for picture in stream.decode(None):  # what the decoder still holds
        yield captured_ns, picture
