"""Reading photos: what comes out is what a viewer shows, or one clear sentence."""

from __future__ import annotations

import struct
import zlib
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageCms

from realtime_unmask.capture import images
from realtime_unmask.capture.images import read_map, read_picture
from realtime_unmask.errors import MediaDamaged, MediaMissing, MediaUnsupported

RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)


def quarters() -> np.ndarray:
    """(20, 30, 3) uint8: red, green above; blue, white below."""
    picture = np.empty((20, 30, 3), np.uint8)
    picture[:10, :15], picture[:10, 15:] = RED, GREEN
    picture[10:, :15], picture[10:, 15:] = BLUE, WHITE
    return picture


def png16(path: Path, values: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint16 as a 16-bit PNG, which Pillow cannot do in colour."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    height, width = values.shape[:2]
    colour_type = 2 if values.ndim == 3 else 0
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 16, colour_type, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("suffix", ["png", "bmp", "tif", "webp", "gif"])
def test_lossless_formats_keep_every_pixel(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(quarters()).save(path, **({"lossless": True} if suffix == "webp" else {}))
    picture = read_picture(path)
    assert np.array_equal(picture.frame.image, quarters())
    assert picture.alpha is None
    assert picture.notes == ()
    assert not picture.frame.image.flags.writeable


# The corner colours of `quarters` in reading order, after a viewer applied each orientation.
ORIENTED = {
    1: (RED, GREEN, BLUE, WHITE),
    2: (GREEN, RED, WHITE, BLUE),
    3: (WHITE, BLUE, GREEN, RED),
    4: (BLUE, WHITE, RED, GREEN),
    5: (RED, BLUE, GREEN, WHITE),
    6: (BLUE, RED, WHITE, GREEN),
    7: (WHITE, GREEN, BLUE, RED),
    8: (GREEN, WHITE, RED, BLUE),
}


@pytest.mark.parametrize("orientation", ORIENTED)
@pytest.mark.parametrize("suffix", ["jpg", "png", "tif", "webp"])
def test_exif_orientation_is_applied(tmp_path: Path, suffix: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / f"phone.{suffix}"
    Image.fromarray(quarters()).save(path, exif=exif, quality=95)
    image = read_picture(path).frame.image.astype(int)
    assert image.shape[:2] == ((20, 30) if orientation < 5 else (30, 20))
    corners = image[[3, 3, -4, -4], [3, -4, 3, -4]]
    assert np.abs(corners - np.array(ORIENTED[orientation])).max() < 40


def test_alpha_turns_with_the_picture(tmp_path: Path) -> None:
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[:5, :5] = 7
    exif = Image.Exif()
    exif[0x0112] = 6
    path = tmp_path / "a.png"
    Image.fromarray(np.dstack([quarters(), alpha])).save(path, exif=exif)
    read = read_picture(path).alpha
    assert read is not None
    assert np.array_equal(read, np.rot90(alpha, -1))


def test_colour_below_full_transparency_is_kept(tmp_path: Path) -> None:
    alpha = np.zeros((20, 30), np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(np.dstack([quarters(), alpha])).save(path)
    assert np.array_equal(read_picture(path).frame.image, quarters())


def test_opaque_alpha_is_no_alpha(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(quarters()).convert("RGBA").save(path)
    assert read_picture(path).alpha is None


def test_16_bit_colour_is_reduced_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    values = np.array([[[0, 0x8000, 0xFFFF], [0x1234, 0xAB00, 0xFF]]], np.uint16)
    png16(path, values)
    picture = read_picture(path)
    assert np.array_equal(picture.frame.image, values >> 8)
    assert picture.notes == ("16 bits a channel were reduced to 8",)


def test_16_bit_grey_becomes_rgb(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    png16(path, np.array([[0, 0x8000, 0xFFFF]], np.uint16))
    picture = read_picture(path)
    assert picture.frame.image[0].tolist() == [[0] * 3, [0x80] * 3, [255] * 3]
    assert picture.notes == ("16 bits a channel were reduced to 8",)


@pytest.mark.parametrize("mode", ["1", "L", "P", "LA"])
def test_other_modes_become_rgb(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    source = Image.fromarray(quarters()).convert(mode)
    source.save(path)
    assert np.array_equal(read_picture(path).frame.image, np.asarray(source.convert("RGB")))


def test_transparent_palette_colour_becomes_alpha(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    source = Image.fromarray(quarters()).quantize(4)
    red = source.getpixel((0, 0))
    source.save(path, transparency=red)
    alpha = read_picture(path).alpha
    assert alpha is not None
    assert alpha[0, 0] == 0
    assert alpha[0, -1] == 255


def test_cmyk_jpeg_is_read_in_its_displayed_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(quarters()).convert("CMYK").save(path, quality=95)
    picture = read_picture(path)
    corners = picture.frame.image.astype(int)[[3, 3, -4, -4], [3, -4, 3, -4]]
    assert np.abs(corners - np.array([RED, GREEN, BLUE, WHITE])).max() < 40
    assert "CMYK" in picture.notes[0]


def test_srgb_profile_changes_no_pixel(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    noise = np.random.default_rng(0).integers(0, 256, (20, 30, 3), np.uint8)
    Image.fromarray(noise).save(path, icc_profile=profile)
    picture = read_picture(path)
    assert np.array_equal(picture.frame.image, noise)
    assert picture.notes == ()


def test_another_profile_is_converted_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    # sRGB's own profile with the red and green primaries exchanged: any effect is unmistakable.
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profile = profile.replace(b"rXYZ", b"tXYZ", 1).replace(b"gXYZ", b"rXYZ", 1)
    profile = profile.replace(b"tXYZ", b"gXYZ", 1)
    profile = profile.replace("sRGB".encode("utf-16-be"), "Swap".encode("utf-16-be"))
    Image.fromarray(quarters()).save(path, icc_profile=profile)
    picture = read_picture(path)
    assert np.abs(picture.frame.image[0, 0].astype(int) - GREEN).max() < 3
    assert picture.notes[0].startswith("colours were converted from Swap")


def test_broken_profile_is_ignored_and_said(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(quarters()).save(path, icc_profile=b"nonsense")
    picture = read_picture(path)
    assert np.array_equal(picture.frame.image, quarters())
    assert picture.notes == ("its colour profile does not fit and was ignored",)


def test_broken_exif_does_not_lose_the_photo(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.fromarray(quarters()).save(path, exif=b"Exif\0\0MM\0*\0\0\0\x08\xff\xff\x01")
    assert read_picture(path).frame.image.shape == (20, 30, 3)


def test_animation_gives_its_first_picture_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "a.gif"
    first, second = Image.fromarray(quarters()), Image.fromarray(255 - quarters())
    first.save(path, save_all=True, append_images=[second])
    picture = read_picture(path)
    assert np.array_equal(picture.frame.image, quarters())
    assert picture.notes == ("only the first of its pictures was taken",)


def test_one_pixel_is_a_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (1, 1), RED).save(path)
    assert read_picture(path).frame.image.tolist() == [[list(RED)]]


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(MediaMissing, match=r"no file .*gone\.png"):
        read_picture(tmp_path / "gone.png")


def test_name_too_long_for_the_system_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(MediaMissing, match="xxx"):
        read_picture(tmp_path / ("x" * 300 + ".png"))


def test_folder_is_not_a_picture(tmp_path: Path) -> None:
    with pytest.raises(MediaUnsupported, match="is a folder"):
        read_picture(tmp_path)


@pytest.mark.parametrize(
    ("name", "content", "kind", "words"),
    [
        ("a.jpg", b"", MediaDamaged, "is empty"),
        ("a.jpg", b"Dear diary", MediaUnsupported, "is not a picture"),
        ("a.mp4", b"\0\0\0\x18ftypmp42", MediaUnsupported, "`video` command"),
        ("a.heic", b"\0\0\0\x18ftypheic", MediaUnsupported, "HEIC"),
        ("a.jpg", b"\0\0\0\x18ftypheic", MediaUnsupported, "HEIC"),
        ("a.jpg", b"\0\0\0\x1cftypavif", MediaUnsupported, "AVIF"),
        ("a.png", b"\x89PNG\r\n\x1a\n" + b"\0" * 100, None, "a.png"),
    ],
)
def test_what_is_no_picture_gets_one_sentence(
    tmp_path: Path, name: str, content: bytes, kind: type[Exception] | None, words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(kind or (MediaDamaged, MediaUnsupported), match=words) as caught:
        read_picture(path)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "webp", "bmp", "gif"])
def test_cut_and_mutated_files_never_end_in_another_error(tmp_path: Path, suffix: str) -> None:
    random = np.random.default_rng(1)
    noise = random.integers(0, 256, (40, 60, 3), np.uint8)
    buffer = BytesIO()
    Image.fromarray(noise).save(buffer, Image.registered_extensions()[f".{suffix}"])
    whole = np.frombuffer(buffer.getvalue(), np.uint8)
    path = tmp_path / f"a.{suffix}"
    failures = 0
    for _ in range(60):
        data = whole[: random.integers(1, len(whole))].copy()
        data[random.integers(0, len(data), 4)] = random.integers(0, 256, 4)
        path.write_bytes(data.tobytes())
        try:
            read_picture(path)
        except (MediaDamaged, MediaUnsupported):
            failures += 1
    assert failures > 0


def test_decoder_bomb_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.png"
    Image.new("1", (30_000, 30_000)).save(path)
    with pytest.raises(MediaUnsupported, match="more than 100 million pixels"):
        read_picture(path)
    monkeypatch.setattr(images, "MAX_PIXELS", 10**6)
    Image.new("1", (1001, 1000)).save(path)
    with pytest.raises(MediaUnsupported, match="more than 1 million pixels"):
        read_picture(path)


@pytest.mark.parametrize("mode", ["L", "RGB", "1", "P", "LA", "RGBA"])
def test_map_is_read_from_any_mode(tmp_path: Path, mode: str) -> None:
    values = np.zeros((20, 30), np.uint8)
    values[5:10, 5:10] = 255
    Image.fromarray(values).convert(mode).save(tmp_path / "a.png")
    assert np.array_equal(read_map(tmp_path / "a.png", width=30, height=20), values)


def test_map_ignores_profiles_and_takes_transparent_for_unpainted(tmp_path: Path) -> None:
    grey = np.full((20, 30), 200, np.uint8)
    alpha = np.full((20, 30), 255, np.uint8)
    alpha[:, :10] = 0
    Image.fromarray(np.dstack([grey, alpha])).save(tmp_path / "a.png", icc_profile=b"nonsense")
    read = read_map(tmp_path / "a.png", width=30, height=20)
    assert (read[:, :10] == 0).all()
    assert (read[:, 10:] == 200).all()


def test_map_of_another_size_is_refused(tmp_path: Path) -> None:
    Image.new("L", (30, 20)).save(tmp_path / "a.png")
    with pytest.raises(MediaUnsupported, match="30 x 20 pixels, its picture 20 x 30"):
        read_map(tmp_path / "a.png", width=20, height=30)
