"""Make assets/demo.mp4: NASA's portrait of Eileen Collins (public domain) with a painted mask.

The portrait comes with scikit-image. The head turns and nods by parallax of its mesh's depth, the
picture sways, and the mask rides on the mesh. Run:
python tools/make_demo_clip.py --maps tests/data
"""

from __future__ import annotations

import argparse
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from realtime_unmask.faces.alignment import align, to_crop
from realtime_unmask.faces.detector import Detector
from training.masks.cloth import paint
from training.masks.shape import random_shape

WIDTH, HEIGHT, FPS, SECONDS = 960, 720, 30, 8
# Left, top, width of the part of the portrait that fills the clip; its height follows.
REGION = (48, 0, 352)
PAINT_SIZE = 512
MASK_SEED = 14
MAPS_EVERY = 60
Picture = NDArray[np.uint8]
Plane = NDArray[np.float32]


def portrait() -> Picture:
    """(HEIGHT, WIDTH, 3) uint8 RGB."""
    from skimage.data import astronaut

    x, y, width = REGION
    height = round(width * HEIGHT / WIDTH)
    part = astronaut()[y : y + height, x : x + width]
    return cv2.resize(part, (WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC).astype(np.uint8)


def depth(mesh: Plane) -> Plane:
    """(HEIGHT, WIDTH) float32: how far each pixel stands out, px; 0 away from the head."""
    field = np.zeros((HEIGHT, WIDTH), np.float32)
    weight = np.zeros((HEIGHT, WIDTH), np.float32)
    near = mesh[:, 2].max() - mesh[:, 2]
    for (x, y, _), z in zip(mesh, near, strict=True):
        if 0 <= x < WIDTH and 0 <= y < HEIGHT:
            field[int(y), int(x)] += z
            weight[int(y), int(x)] += 1
    sigma = 0.06 * float(np.ptp(mesh[:, 0]))
    blurred = cv2.GaussianBlur(field, (0, 0), sigma)
    known = cv2.GaussianBlur(weight, (0, 0), sigma)
    inside = cv2.fillConvexPoly(
        np.zeros((HEIGHT, WIDTH), np.float32), cv2.convexHull(mesh[:, :2].astype(np.int32)), 1.0
    )
    hull = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), 3 * sigma)
    return (blurred / (known + 1e-4 * known.max()) * hull).astype(np.float32)


def motion(time: float) -> tuple[float, float, NDArray[np.float64]]:
    """Yaw and pitch in radians, and the sway of the whole picture (2, 3)."""
    yaw = 0.42 * np.sin(2 * np.pi * time / 4.0)
    pitch = 0.16 * np.sin(2 * np.pi * time / 2.7 + 0.5)
    turn = 0.03 * np.sin(2 * np.pi * time / 5.3)
    zoom = 1.06 + 0.03 * np.sin(2 * np.pi * time / 6.1)
    shift = np.array([14 * np.sin(2 * np.pi * time / 3.7), 7 * np.sin(2 * np.pi * time / 2.9)])
    linear = zoom * np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    centre = np.array([WIDTH / 2, HEIGHT / 2])
    return yaw, pitch, np.hstack([linear, (centre + shift - linear @ centre)[:, None]])


def moved(still: Picture, mesh: Plane, field: Plane, time: float) -> tuple[Picture, Plane]:
    """The portrait and its mesh at a moment."""
    yaw, pitch, sway = motion(time)
    step = np.array([np.sin(yaw), np.sin(pitch)], np.float32)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    back = cv2.invertAffineTransform(sway)
    source = np.stack([x, y], -1) @ back[:, :2].T.astype(np.float32) + back[:, 2].astype(np.float32)
    at = source.copy()
    for _ in range(3):  # the displacement is given where it starts: find that point
        lift = cv2.remap(field, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
        at = source - lift[..., None] * step
    picture = cv2.remap(
        still, at[..., 0], at[..., 1], cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
    lift = cv2.remap(field, mesh[None, :, 0], mesh[None, :, 1], cv2.INTER_LINEAR)[0]
    points = (mesh[:, :2] + lift[:, None] * step) @ sway[:, :2].T + sway[:, 2]
    return picture.astype(np.uint8), np.hstack([points, mesh[:, 2:]]).astype(np.float32)


def mask_on(picture: Picture, mesh: Plane, time: float) -> tuple[Picture, Plane]:
    """The picture with a surgical mask that rides on the mesh, and the true map (H, W)."""
    alignment = align(mesh, PAINT_SIZE)
    matrix, size = alignment.matrix, (PAINT_SIZE, PAINT_SIZE)
    crop = cv2.warpAffine(picture, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    points = to_crop(mesh, alignment)
    # Speech moves the cloth a little against the face.
    jaw = np.clip((points[:, 1] - points[4, 1]) / (points[152, 1] - points[4, 1]), 0, 1)
    points[:, 1] += (4.0 * jaw * np.sin(2 * np.pi * 1.7 * time)).astype(np.float32)
    shape = random_shape(
        points, PAINT_SIZE, np.random.default_rng(MASK_SEED), covering=True, kind="surgical"
    )
    painted = paint(crop.astype(np.float32) / 255.0, shape, np.random.default_rng(MASK_SEED))
    edge = cv2.GaussianBlur(shape.map, (0, 0), 8)
    back = cv2.WARP_INVERSE_MAP | cv2.INTER_LINEAR
    frame = (WIDTH, HEIGHT)
    over = cv2.warpAffine(painted * 255, matrix, frame, flags=back)
    share = cv2.warpAffine((edge > 0.01).astype(np.float32), matrix, frame, flags=back)[..., None]
    mixed = picture * (1 - share) + over * share
    true = cv2.warpAffine(shape.map, matrix, frame, flags=back)
    return np.clip(np.rint(mixed), 0, 255).astype(np.uint8), true.astype(np.float32)


def main() -> None:
    """Write the clip."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--out", type=Path, default=Path("assets/demo.mp4"))
    parser.add_argument("--bare", action="store_true", help="without the mask: the truth")
    parser.add_argument("--maps", type=Path, help="folder for some frames' true maps")
    options = parser.parse_args()
    still = portrait()
    with Detector() as detector:
        mesh = detector.find(still, 1)[0]
    field = depth(mesh)
    noise = np.random.default_rng(1)
    with av.open(str(options.out), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "19"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for number in range(FPS * SECONDS):
            time = number / FPS
            picture, points = moved(still, mesh, field, time)
            if not options.bare:
                picture, true = mask_on(picture, points, time)
                if options.maps and number % MAPS_EVERY == 0:
                    shown = np.rint(true * 255).astype(np.uint8)
                    cv2.imwrite(str(options.maps / f"demo_map_{number:03d}.png"), shown)
            grain = noise.normal(0, 1.6, (HEIGHT, WIDTH, 1))
            shown = np.clip(np.rint(picture + grain), 0, 255).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(shown, "rgb24")))
        container.mux(stream.encode())
    print(f"{options.out}: {FPS * SECONDS} frames, {options.out.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
