"""What a video file says of itself, and how its container is written."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from av.packet import Packet
from av.video.stream import VideoStream

from realtime_unmask.media import Colour, VideoInfo

NOTICE = (
    "AI-reconstructed: the face under the mask is a plausible guess, not the person; "
    "not for identification."
)
# Restored by the muxer itself, or true of the old file only.
_NOT_COPIED = frozenset({"major_brand", "minor_version", "compatible_brands", "encoder"})
_BT709, _RGB = 1, 0


def yuv_colour(like: VideoInfo) -> Colour:
    """The tags of the output: those of the source, unless they cannot be true of YUV pictures."""
    colour = like.colour
    if like.chroma == "rgb" or colour.matrix == _RGB:
        return Colour(colour.primaries, colour.transfer, _BT709, 1)
    return colour


def metadata_of(like: VideoInfo, notice: bool) -> dict[str, str]:
    """What the output says of itself: what the source said, and NOTICE where asked for."""
    kept = {k: v for k, v in like.metadata.items() if k.lower() not in _NOT_COPIED}
    if not notice:
        return kept
    old = kept.pop("comment", None) or kept.pop("COMMENT", "")
    kept["comment"] = old if NOTICE in old else f"{old} | {NOTICE}" if old else NOTICE
    return kept


def muxer(path: Path) -> str:
    """FFmpeg's name of the container that a file of this name is."""
    return {".mkv": "matroska", ".mov": "mov"}.get(path.suffix.lower(), "mp4")


def muxer_options(path: Path, time_base: Fraction) -> dict[str, str]:
    """FFmpeg's options for a file that plays at every moment of its making."""
    # Times stay as they are, also those before 0 (the sound's run-up, reordered pictures).
    # Packets come in order, so that nothing has to wait long for a silent track.
    options = {
        "flush_packets": "1",
        "avoid_negative_ts": "disabled",
        "max_interleave_delta": "200000",
    }
    if muxer(path) == "matroska":
        return {**options, "cluster_time_limit": "250"}
    return {
        **options,
        # delay_moov: the beginning is a fragment like the others. Without it, its pictures are in
        # the header under an edit list of length 0, and players pass them over.
        "movflags": "hybrid_fragmented+frag_keyframe+delay_moov",
        # Smaller pieces than a group of pictures: less is lost when the program is killed.
        "frag_duration": "250000",
        # The finest clock in the file: a late start of the pictures is stored in its ticks.
        "movie_timescale": str(min(time_base.denominator, 1_000_000)),
    }


@dataclass(slots=True)
class TrackLength:
    """Lets a track of pictures end where its last picture does.

    The packet written last may be shown before another one. Players take a track's end from it, by
    the time at which it is shown, and its frame rate from the sum of all lengths, by the times at
    which packets are decoded. Both are right only if it is decoded as long before it is shown as
    the first packet is.

    Attributes:
        first: pts and dts of the first packet, ticks.
        before: dts of the packet written last.
    """

    first: tuple[int, int] | None = None
    before: int = 0

    def note(self, packet: Packet[VideoStream]) -> None:
        """One more packet is written."""
        if packet.pts is not None and packet.dts is not None:
            self.first = self.first or (packet.pts, packet.dts)
            self.before = packet.dts

    def end(self, packet: Packet[VideoStream], begins: int, ends: int) -> None:
        """Give the packet that is written last its length, and a time to be decoded.

        Args:
            begins, ends: of the picture that is shown last, ticks.
        """
        shown = packet.pts or 0
        packet.duration = max(packet.duration or 0, ends - shown)
        if packet.dts is None or self.first is None:
            return
        wanted = shown - (self.first[0] - self.first[1])
        decoded = min(shown, max(self.before + 1, wanted))
        short = decoded - wanted  # a tick where all lengths are equal
        if 2 * short < ends - begins:
            packet.dts, packet.duration = decoded, packet.duration - short
