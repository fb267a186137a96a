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
# At some sizes below this, px on either side, x265 writes past its memory and ends the program.
HEVC_LEAST = 64
# Above 4K the encoder keeps as few pictures as it can: each takes it some 200 MB at 8K.
_HUGE_PIXELS = 4096 * 2304
_LOOKAHEAD_BYTES = 300_000_000


@dataclass(frozen=True, slots=True)
class Encoding:
    """How pictures are written.

    Attributes:
        codec: "h264", "hevc", or "auto": HEVC where the source has more than 8 bits a component
            (then 10 are written) and the picture is no smaller than HEVC_LEAST, else H.264. H.264
            is always written with 8 bits, since ordinary players do not play it with 10.
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

    def chosen_codec(self, like: VideoInfo, size: tuple[int, int]) -> str:
        """ "h264" or "hevc", for pictures of `size`: (width, height), px.

        Raises:
            UsageError: HEVC is asked for, and the pictures are too small for it.
        """
        small = min(size) < HEVC_LEAST
        if self.codec == "auto":
            return "hevc" if like.bit_depth > 8 and not small else "h264"
        if self.codec == "hevc" and small:
            raise UsageError(
                f"{like.path} cannot be written as HEVC: its pictures of {size[0]} x {size[1]} are "
                f"smaller than {HEVC_LEAST} x {HEVC_LEAST}. Choose h264 or auto."
            )
        return self.codec


def keeps_fields(codec: str, like: VideoInfo) -> bool:
    """Are the pictures written as interlaced? x264 can where rows come in fours."""
    upright = not like.orientation.transpose
    return bool(like.field_order) and codec == "h264" and like.height % 4 == 0 and upright


def bits_written(codec: str, like: VideoInfo) -> int:
    """How many bits a component there are in the output."""
    return 10 if codec == "hevc" and like.bit_depth > 8 else 8


def reductions(
    codec: str, like: VideoInfo, size: tuple[int, int], crf: int | None = None
) -> list[str]:
    """Sentence parts on what pictures of `size` (width, height) lose so written.

    crf: as in Encoding.
    """
    notes, written = [], bits_written(codec, like)
    if like.bit_depth > written:
        better = codec == "h264" and min(size) >= HEVC_LEAST
        hint = "; --codec hevc keeps 10" if better else ""
        notes.append(f"{like.bit_depth} bits a component become {written}{hint}")
    if like.grading and codec == "h264":
        notes.append("its HDR10 data on display and brightest pixels are left out")
    odd = size[0] % 2 or size[1] % 2
    if odd:
        notes.append("its odd size needs 4:4:4 colour, which some hardware players refuse")
    elif like.chroma in ("422", "444", "rgb"):
        notes.append("its colour resolution becomes 4:2:0, which ordinary players ask for")
    if crf == 0 and codec == "h264" and not odd:
        # x264 then writes High 4:4:4 Predictive, though the chroma is 4:2:0.
        notes.append("a quality of 0 needs a profile of H.264 which some hardware players refuse")
    if like.field_order and not keeps_fields(codec, like):
        notes.append("it is interlaced: the fields are written woven into whole pictures")
    return notes


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
