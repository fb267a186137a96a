"""How pictures are compressed: the choices a person has, and what the encoders are told."""

from __future__ import annotations

from dataclasses import dataclass

from realtime_unmask.errors import UsageError
from realtime_unmask.media import Grading, VideoInfo

CODECS = ("auto", "h264", "hevc")
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast",
    "medium", "slow", "slower", "veryslow",
)  # fmt: skip

ENCODERS = {"h264": "libx264", "hevc": "libx265"}
_DEFAULT_CRF = {"h264": 18, "hevc": 20}
# Above 4K the encoder keeps as few pictures as it can: each takes it some 200 MB at 8K.
_HUGE_PIXELS = 4096 * 2304
_LOOKAHEAD_BYTES = 300_000_000


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures are written.

    Attributes:
        codec: "h264", "hevc", or "auto": HEVC where the source has more than 8 bits a component
            (then 10 are written), else H.264. H.264 is always written with 8 bits, since
            ordinary players do not play it with 10.
        crf: quality, 0 (lossless) to 51 (worst); None = 18 for H.264, 20 for HEVC, hard to tell
            from the original.
        preset: x264's and x265's: how much time to spend on making the file small.
        reorder: pictures may refer to later ones (H.264 only; HEVC always may). Without, the
            file is somewhat larger, and each picture is written as soon as it comes.

    Raises:
        UsageError: a value is none of these.
    """

    codec: str = "auto"
    crf: int | None = None
    preset: str = "medium"
    reorder: bool = True

    def __post_init__(self) -> None:
        if self.codec not in CODECS:
            raise UsageError(f"The codec is one of {', '.join(CODECS)}, not '{self.codec}'.")
        if self.crf is not None and not 0 <= self.crf <= 51:
            raise UsageError(f"The quality lies between 0 and 51, not {self.crf}.")
        if self.preset not in PRESETS:
            raise UsageError(f"The preset is one of {', '.join(PRESETS)}, not '{self.preset}'.")

    def chosen_codec(self, like: VideoInfo) -> str:
        """ "h264" or "hevc"."""
        if self.codec == "auto":
            return "hevc" if like.bit_depth > 8 else "h264"
        return self.codec


def keeps_fields(codec: str, like: VideoInfo) -> bool:
    """Are the pictures written as interlaced? x264 can where rows come in fours."""
    upright = not like.orientation.transpose
    return bool(like.field_order) and codec == "h264" and like.height % 4 == 0 and upright


def encoder_options(codec: str, encoding: Encoding, like: VideoInfo, pixels: int) -> dict[str, str]:
    crf = _DEFAULT_CRF[codec] if encoding.crf is None else encoding.crf
    rate = like.frame_rate or 1 / like.step
    # What waits in the encoder is lost when the program is killed, and costs memory.
    affordable = _LOOKAHEAD_BYTES // (pixels * (3 if like.bit_depth > 8 else 2))
    ahead = max(5, min(40, round(rate / 3), affordable))
    options = {
        "preset": encoding.preset,
        "crf": str(crf),
        "forced-idr": "1",
        "g": str(max(1, round(rate))),
    }
    if codec == "hevc":
        parameters = f"log-level=error:open-gop=0:rc-lookahead={ahead}" + _graded(like.grading)
        return {**options, "x265-params": parameters}
    parameters = f"rc-lookahead={ahead}"
    if pixels > _HUGE_PIXELS:
        parameters = "rc-lookahead=0:sync-lookahead=0:mbtree=0:ref=1:bframes=0:sliced-threads=1"
    if not encoding.reorder:
        parameters += ":bframes=0"
    if keeps_fields(codec, like):
        # Upside down, the rows of the first field are those of the second one.
        top_first = (like.field_order == "top") != like.orientation.flip_y
        parameters += ":tff=1" if top_first else ":bff=1"
    return {**options, "x264-params": parameters}


def _graded(grading: Grading) -> str:
    """What x265 is told of the screen and the light that a picture was made for."""
    told = ""
    if grading.display:
        red, green, blue, white = (grading.display[i : i + 2] for i in range(0, 8, 2))
        least, most = grading.display[8:]
        colours = (("G", green), ("B", blue), ("R", red), ("WP", white), ("L", (most, least)))
        told += ":master-display=" + "".join(f"{name}({x},{y})" for name, (x, y) in colours)
    if grading.light:
        told += ":max-cll={},{}".format(*grading.light)
    return told
