"""The mediapipe face landmarker, kept behind one small function: picture -> meshes."""

from __future__ import annotations

import os
import sys
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_unmask import resources
from realtime_unmask.closing import Closing
from realtime_unmask.errors import AssetError
from realtime_unmask.types import Float32, UInt8

if TYPE_CHECKING:
    import mediapipe as mp

# Bundle name -> SHA-256 of assets/face_landmarker_<name>.task (see assets/NOTICE).
BUNDLES = {
    "full_range": "839502ec62820bd53557447300bb3d613df772c815278092481f082eeb634d74",
    "short_range": "30d82541a8d696eea634339b61f084cd74edb6d9be3dd39900ec1bc5699e272b",
}
# mediapipe's default of 0.5 misses one masked face in eight.
CONFIDENCE = 0.3


class Landmarker(Closing):
    """One mediapipe landmarker in IMAGE mode: no memory, same picture, same answer.

    Belongs to the thread that made it.

    Args:
        bundle: "full_range" (faces from 15 % of the picture's height up) or "short_range".
        max_faces: how many faces it returns at most.

    Raises:
        AssetError: the bundle is missing or altered, or mediapipe refuses it.
    """

    def __init__(self, bundle: str = "full_range", max_faces: int = 1) -> None:
        path = resources.folder("assets") / f"face_landmarker_{bundle}.task"
        model = resources.verified(path, BUNDLES[bundle])
        import mediapipe as mp
        from mediapipe.tasks.python import BaseOptions, vision

        options = vision.FaceLandmarkerOptions(
            base_options=BaseOptions(model_asset_buffer=model),
            running_mode=vision.RunningMode.IMAGE,
            num_faces=max_faces,
            min_face_detection_confidence=CONFIDENCE,
            min_face_presence_confidence=CONFIDENCE,
            min_tracking_confidence=CONFIDENCE,
        )
        try:
            with _quiet():
                task: Any = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise AssetError(
                f"mediapipe cannot use {path} ({error}). Install realtime-unmask again."
            ) from error
        self._task, self._mp = task, mp
        self._close = weakref.finalize(self, _free, task)

    def detect(self, image: UInt8) -> list[Float32]:
        """The faces of a picture.

        Args:
            image: (H, W, 3) uint8 RGB.

        Returns:
            One (478, 3) float32 array a face: x, y in px, z relative in the same unit.
        """
        height, width = image.shape[:2]
        picture: mp.Image = self._mp.Image(
            image_format=self._mp.ImageFormat.SRGB, data=np.ascontiguousarray(image)
        )
        scale = np.array([width, height, width], np.float32)
        return [
            np.array([(p.x, p.y, p.z) for p in face], np.float32) * scale
            for face in self._task.detect(picture).face_landmarks
        ]

    def close(self) -> None:
        """Free the native graph; safe to call again."""
        self._close()


def _free(task: Any) -> None:
    try:
        task.close()
    except RuntimeError:
        # The interpreter is shutting down and mediapipe's threads are gone already; without
        # this its __del__ would print a traceback. The process frees the graph.
        task._handle = None


@contextmanager
def _quiet() -> Iterator[None]:
    """Hold back what mediapipe's native code prints while a graph starts, which nothing else does.

    Its warnings about feedback tensors and delegates tell a user nothing; errors are raised.
    """
    if sys.stderr is None:  # a service may run without one
        yield
        return
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
