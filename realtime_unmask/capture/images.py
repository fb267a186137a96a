"""Photos: any common picture file -> one upright 8-bit sRGB frame.

What is read is what a viewer shows: EXIF orientation applied, colour profiles and CMYK turned into
sRGB, palettes and greys into RGB. What had to be given up on the way is said in `Picture.notes`.
"""

from __future__ import annotations

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, UnidentifiedImageError

from realtime_unmask.errors import MediaDamaged, MediaMissing, MediaUnsupported
from realtime_unmask.types import Frame, UInt8

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jfif", ".webp", ".bmp", ".tif", ".tiff", ".gif"})
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")
MAX_PIXELS = 100_000_000

# So begin, from their fifth byte on, the files of many telephones, whatever their names.
_PHONE_BRANDS = (b"ftyphei", b"ftyphev", b"ftypmif1", b"ftypmsf1", b"ftypavif", b"ftypavis")
_VIDEO_SUFFIXES = frozenset({".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".ts"})
_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
# All that Pillow's decoders were seen to raise on damaged files.
_DECODER_FAULTS = (
    OSError,
    SyntaxError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """One photo.

    Attributes:
        frame: the displayed picture, (H, W, 3) uint8 sRGB, no pts.
        alpha: (H, W) uint8, 255 = opaque; None where the whole picture is.
        notes: what reading changed or left out, each a few words for a person.
    """

    frame: Frame
    alpha: UInt8 | None
    notes: tuple[str, ...]


def read_picture(path: Path) -> Picture:
    """Read the picture in `path` as a viewer would show it.

    Raises:
        MediaMissing: there is no such file, or it may not be read.
        MediaUnsupported: not a picture, of an unusual kind, or larger than MAX_PIXELS.
        MediaDamaged: the file is broken or ends too soon.
    """
    notes: list[str] = []
    with _opened(path) as image:
        if getattr(image, "is_animated", False) and image.format != "MPO":
            notes.append("only the first of its pictures was taken")
        depth_lost = _has_16_bits(image)
        image.load()
        turn = _UPRIGHT.get(_orientation(image))
        colour, alpha = _split(path, image)
        if depth_lost:
            notes.append("16 bits a channel were reduced to 8")
        rgb = _to_srgb(colour, image.info.get("icc_profile"), notes)
        if turn is not None:
            rgb = rgb.transpose(turn)
            alpha = alpha.transpose(turn) if alpha else None
        frame = Frame(np.asarray(rgb))
        opaque = alpha is None or alpha.getextrema() == (255, 255)
        return Picture(frame, None if opaque else np.asarray(alpha), tuple(notes))


def read_map(path: Path, *, width: int, height: int) -> UInt8:
    """Read a map that somebody drew or corrected: (H, W) uint8, 255 = paint here.

    Grey, black and white, palette, colour and 16-bit files will do; what is transparent in the
    file is 0. Colour profiles are ignored: the numbers count.

    Raises:
        MediaMissing, MediaDamaged: as for `read_picture`.
        MediaUnsupported: also where the size is not `width` x `height`.
    """
    with _opened(path) as image:
        if image.size != (width, height):
            raise MediaUnsupported(
                f"The map {path} is {image.width} x {image.height} pixels, its picture "
                f"{width} x {height}. Give a map of the picture's size."
            )
        image.load()
        colour, alpha = _split(path, image)
        values: UInt8 = np.array(colour.convert("L"))
        if alpha is not None:
            values[np.asarray(alpha) == 0] = 0
        return values


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The file, opened and of a sane size; what goes wrong inside becomes a MediaError."""
    try:
        if not path.exists():
            raise MediaMissing(f"There is no file {path}. Check the name.")
        if not path.is_file():
            what = "a folder" if path.is_dir() else "not a file"
            raise MediaUnsupported(f"{path} is {what}. Name a picture.")
        # Pillow warns about odd EXIF and about sizes; both are dealt with here.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_large(path)
                yield image
    except Image.DecompressionBombError as error:
        raise _too_large(path) from error
    except UnidentifiedImageError as error:
        raise _not_a_picture(path) from error
    except PermissionError as error:
        raise MediaMissing(f"{path} may not be read. Check its permissions.") from error
    except MemoryError as error:
        raise MediaUnsupported(
            f"{path} needs more memory than there is. Make it smaller, or close other programs."
        ) from error
    except _DECODER_FAULTS as error:
        if isinstance(error, OSError) and error.errno is not None:  # the system's, not Pillow's
            raise MediaMissing(
                f"{path} cannot be read ({error.strerror}). Check its name and its permissions."
            ) from error
        raise MediaDamaged(
            f"{path} is damaged or cut short ({error}). Fetch the picture again from its source."
        ) from error


def _too_large(path: Path) -> MediaUnsupported:
    return MediaUnsupported(
        f"{path} has more than {MAX_PIXELS // 10**6} million pixels. Make it smaller first."
    )


def _not_a_picture(path: Path) -> MediaUnsupported | MediaDamaged:
    if path.stat().st_size == 0:
        return MediaDamaged(f"{path} is empty. Fetch the picture again from its source.")
    if path.suffix.lower() in _VIDEO_SUFFIXES:
        return MediaUnsupported(
            f"{path} looks like a video, not like a picture. The `video` command is for those."
        )
    with path.open("rb") as file:
        beginning = file.read(12)[4:]
    if beginning.startswith(_PHONE_BRANDS) or path.suffix.lower() in (".heic", ".heif", ".avif"):
        return MediaUnsupported(
            f"{path} is a picture of the kind HEIC or AVIF, which this program cannot read. "
            "Save it as JPEG or PNG first."
        )
    return MediaUnsupported(
        f"{path} is not a picture that this program can read, or its beginning is damaged. "
        f"It reads {', '.join(FORMATS)}."
    )


def _has_16_bits(image: Image.Image) -> bool:
    # Pillow reduces 16-bit colour silently; only the raw mode of the (not yet read) tiles tells.
    def raw_mode(arguments: object) -> str:
        return str(arguments[0] if isinstance(arguments, tuple) and arguments else arguments)

    return any(";16" in raw_mode(tile[3]) for tile in getattr(image, "tile", ()))


def _orientation(image: Image.Image) -> int:
    try:
        return int(image.getexif().get(_ORIENTATION, 1))
    except _DECODER_FAULTS:
        return 1  # a photo with broken EXIF is still a photo


def _split(path: Path, image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """(colour in mode L, RGB or CMYK; alpha in mode L or None), both 8 bit."""
    if image.mode.startswith("I;16"):
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    elif image.mode in ("RGBa", "La", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    elif image.mode == "P" or image.mode in ("YCbCr", "HSV", "RGBX"):
        image = image.convert("RGB")
    elif image.mode == "1":
        image = image.convert("L")
    if image.mode in ("RGBA", "LA"):
        return image.convert(image.mode[:-1]), image.getchannel("A")
    if image.mode not in ("L", "RGB", "CMYK"):
        raise MediaUnsupported(
            f"{path} holds values of an unusual kind (Pillow calls it {image.mode}). "
            "Save it with 8 or 16 bits a channel, in RGB or grey."
        )
    return image, None


def _to_srgb(image: Image.Image, icc_profile: bytes | None, notes: list[str]) -> Image.Image:
    """`image` (mode L, RGB or CMYK) in mode RGB, its colours those of sRGB."""
    if icc_profile:
        try:
            profile = ImageCms.ImageCmsProfile(BytesIO(icc_profile))
            name = ImageCms.getProfileDescription(profile).strip()
            # Through the converter, sRGB -> sRGB would move values by one for nothing.
            if "srgb" not in name.lower():
                converted = ImageCms.profileToProfile(
                    image, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
                )
                if converted is not None:
                    notes.append(f"colours were converted from {name or 'its profile'} to sRGB")
                    return converted
        except (ImageCms.PyCMSError, *_DECODER_FAULTS):
            notes.append("its colour profile does not fit and was ignored")
    if image.mode == "CMYK":
        notes.append("CMYK colours were converted without a profile, roughly")
    return image.convert("RGB")
