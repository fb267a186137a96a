"""The mediapipe face landmarker, kept behind two small functions: picture -> meshes."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import threading
import weakref
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_unmask import resources
from realtime_unmask.closing import Closing
from realtime_unmask.ctrl_c import ctrl_c_kept
from realtime_unmask.errors import AssetError
from realtime_unmask.faces import quarters
from realtime_unmask.faces.alignment import crop
from realtime_unmask.types import Alignment, Float32, Float64, UInt8

if TYPE_CHECKING:
    import mediapipe as mp

# Bundle name -> SHA-256 of assets/face_landmarker_<name>.task (see assets/NOTICE).
BUNDLES = {
    "full_range": "839502ec62820bd53557447300bb3d613df772c815278092481f082eeb634d74",
    "short_range": "30d82541a8d696eea634339b61f084cd74edb6d9be3dd39900ec1bc5699e272b",
}
# mediapipe's default of 0.5 misses one masked face in eight.
CONFIDENCE = 0.3
# Side of the square around a face in which it is looked for again, in widths of its mesh.
NEAR = 2.2
# Side of a follower's window: the mesh network takes 192 px of it.
WINDOW_PX = 320
# The window goes along where the face has moved by this share of its side, or has changed its size.
MOVED, GROWN = 0.05, 0.15


# Tasks of objects that nobody holds any more and nobody closed: a sequence ends, and its faces'
# followers with it. Python may find that out in the middle of a call to mediapipe, in any thread,
# and freeing them there waits for ever for a lock of that very call. So it is done later.
_left: deque[Any] = deque()


class _Task(Closing):
    """One mediapipe landmarker. Used by one thread at a time.

    Raises:
        AssetError: the bundle is missing or altered, or mediapipe refuses it or does not load.
    """

    def __init__(self, bundle: str, max_faces: int, confidence: float, *, video: bool) -> None:
        _free_left()
        path = resources.folder("assets") / f"face_landmarker_{bundle}.task"
        model = resources.verified(path, BUNDLES[bundle])
        # Interrupted, its import ends in some other error, and a graph goes on with its start, and
        # with its noise, after that was let through again.
        with ctrl_c_kept():
            self._mp, self._task = _started(
                path,
                model,
                video,
                num_faces=max_faces,
                min_face_detection_confidence=confidence,
                min_face_presence_confidence=confidence,
                min_tracking_confidence=confidence,
            )
            self._forgotten = weakref.finalize(self, _left.append, self._task)

    def _picture(self, image: UInt8) -> mp.Image:
        return self._mp.Image(
            image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )

    def close(self) -> None:
        """Free the native graph; safe to call again."""
        if self._forgotten.detach() is not None:
            _free(self._task)
        _free_left()


class Landmarker(_Task):
    """Finds the faces of a picture. No memory: same picture, same answer.

    Args:
        bundle: "full_range" (faces from 15 % of the picture's height up) or "short_range".
        max_faces: how many faces it returns at most.
        confidence: how sure it has to be, 0..1.

    Raises:
        AssetError: the bundle is missing or altered, or mediapipe refuses it or does not load.
    """

    def __init__(
        self, bundle: str = "full_range", max_faces: int = 1, confidence: float = CONFIDENCE
    ) -> None:
        super().__init__(bundle, max_faces, confidence, video=False)

    def detect(self, image: UInt8) -> list[Float32]:
        """The faces of a picture.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            One (478, 3) float32 array a face: x, y in px, z relative in the same unit.
        """
        height, width = image.shape[:2]
        scale = np.array([width, height, width], np.float32)
        found = self._task.detect(self._picture(image)).face_landmarks
        return [_points(face) * scale for face in found]


class Follower(_Task):
    """Finds one face again from frame to frame, in less than half of a Landmarker's time.

    Remembers where in its window the face was, so that it need not search, and smooths a little.
    The window goes along with the face, by steps: the caller says where it is to be expected.
    Placed anew for each frame by the answer before, window and memory feed each other, and under a
    mask, where the mesh is partly a guess, a still face swings to and fro (by 2 % of its size).

    Raises:
        AssetError: the bundle is missing or altered, or mediapipe refuses it or does not load.
    """

    def __init__(self) -> None:
        super().__init__("full_range", 1, CONFIDENCE, video=True)
        self._now_ms = 0.0
        self._window = np.zeros(3)  # middle x, y and side, px of the frame
        self._turns = 0

    def look(self, image: UInt8, expected: Float32, step_s: float) -> Float32 | None:
        """The face's mesh, (478, 3) float32 in px of the frame; None if it is not there.

        Args:
            image: (H, W, 3) uint8 RGB.
            expected: (478, 3) float32, about where it should be.
            step_s: seconds since the look before.
        """
        low, high = expected[:, :2].min(0), expected[:, :2].max(0)
        side = NEAR * float((high - low).max())
        if not 8 <= side < 1e5:  # also where it is not a number
            return None
        self._place(np.array([*(low + high) / 2, side], np.float64))
        self._turns = quarters.of_face(expected, self._turns)
        zoom, turn = WINDOW_PX / self._window[2], quarters.rotation(self._turns)
        shift = WINDOW_PX / 2 - zoom * turn @ self._window[:2]
        matrix = np.hstack([zoom * turn, shift[:, None]])
        self._now_ms += max(step_s * 1e3, 1.0)
        found = self._task.detect_for_video(
            self._picture(crop(image, Alignment(matrix, WINDOW_PX))), int(self._now_ms)
        ).face_landmarks
        if not found:
            return None
        mesh = _points(found[0]) * np.float32(WINDOW_PX)
        mesh[:, :2] = (mesh[:, :2] - shift.astype(np.float32)) @ turn.astype(np.float32)
        return mesh / np.float32(zoom)

    def _place(self, wanted: Float64) -> None:
        """Move the window only where the face would leave its middle, or no longer fills it."""
        moved = np.abs(wanted[:2] - self._window[:2]).max() > MOVED * wanted[2]
        grown = abs(wanted[2] - self._window[2]) > GROWN * wanted[2]
        if moved or grown:
            self._window = wanted


def _started(path: Path, model: bytes, video: bool, **options: float) -> tuple[Any, Any]:
    """mediapipe, and its landmarker of the bundle `model`, which was read from `path`."""
    # It imports matplotlib, which tells of a home folder that may not be written.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    import mediapipe as mp
    from mediapipe.tasks.python import BaseOptions, vision

    mode = vision.RunningMode.VIDEO if video else vision.RunningMode.IMAGE
    base = BaseOptions(model_asset_buffer=model)
    try:
        with _quiet():
            return mp, vision.FaceLandmarker.create_from_options(
                vision.FaceLandmarkerOptions(base, mode, **options)
            )
    except OSError as error:
        raise AssetError(
            f"mediapipe cannot be loaded ({error}). On Debian and Ubuntu "
            "`sudo apt-get install libegl1 libgles2` installs what it needs."
        ) from error
    except (RuntimeError, ValueError) as error:
        raise AssetError(
            f"mediapipe cannot use {path} ({error}). Install realtime-unmask again."
        ) from error


def _points(face: Any) -> Float32:
    return np.array([(p.x, p.y, p.z) for p in face], np.float32)


def _free_left() -> None:
    """Free what was left behind; from ordinary code only, never while memory is collected."""
    while _left:
        try:
            task = _left.popleft()
        except IndexError:  # another thread was quicker
            return
        _free(task)


# Before the first weakref.finalize, so that it runs after those at the program's end.
atexit.register(_free_left)


def _free(task: Any) -> None:
    try:
        task.close()
    except RuntimeError:
        # The interpreter is shutting down and mediapipe's threads are gone already. The process
        # frees the graph.
        pass
    finally:
        # Without this its __del__ would print a traceback then. After a Ctrl-C in the midst it
        # would free once more what mediapipe's thread frees, and the process would crash.
        task._handle = None


# One thread at a time: a second one would keep the first one's /dev/null, and restore that last.
_redirecting = threading.Lock()


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what mediapipe's native code prints while a graph starts, which nothing else does.

    Its warnings about feedback tensors and delegates tell a user nothing; errors are raised.
    """
    if sys.stderr is None:  # a service may run without one
        yield
        return
    with _redirecting:
        sys.stderr.flush()
        kept = os.dup(2)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        try:
            os.dup2(nowhere, 2)
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)
