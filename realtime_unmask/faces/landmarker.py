"""The mediapipe face landmarker, kept behind one small function: picture -> meshes."""

from __future__ import annotations

import os
from types import TracebackType
from typing import TYPE_CHECKING, Any

import numpy as np

from realtime_unmask import resources
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


class Landmarker:
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
        os.environ.setdefault("GLOG_minloglevel", "2")
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
            self._task: Any = vision.FaceLandmarker.create_from_options(options)
        except (RuntimeError, ValueError) as error:
            raise AssetError(
                f"mediapipe cannot use {path} ({error}). Install realtime-unmask again."
            ) from error
        self._mp: Any = mp

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
        task, self._task = self._task, None
        if task is not None:
            task.close()

    def __enter__(self) -> Landmarker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
