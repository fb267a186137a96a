"""Which face is which from frame to frame, and meshes that don't tremble."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from realtime_unmask.faces import flow
from realtime_unmask.faces.detector import SETTLED, Detector, overlap
from realtime_unmask.faces.landmarker import Follower
from realtime_unmask.types import Face, Float32, Frame, UInt8

# A look at the whole frame for newcomers comes this often; between, each face is followed.
SEARCH_EVERY = 15
# One-euro filter (Casiez et al. 2012): cut-off at rest in Hz, and its rise in Hz for each
# outer-eye distance per second. Tuned so that a still head is still and a nod does not lag.
REST_HZ = 1.5
RISE = 18.0
SPEED_HZ = 3.0
DEFAULT_STEP_S = 1 / 30


@dataclass(slots=True)
class _Track:
    track_id: int
    raw: Float32
    smooth: Float32
    velocity: Float32  # (478, 2), eye distances per second, low-passed
    glimpse: flow.Glimpse | None = None  # of the frame before
    follower: Follower | None = None
    unseen_s: float = 0.0  # since it was looked for


@dataclass(slots=True)
class Tracks:
    """The tracker's memory of one sequence; part of the unmasker's State."""

    known: list[_Track] = field(default_factory=list)
    next_id: int = 0
    frames: int = 0
    pts: Fraction | None = None


def track(
    frame: Frame, detector: Detector, tracks: Tracks, max_faces: int, look_every: int = 1
) -> list[Face]:
    """The faces of the next frame of a sequence, with smoothed meshes.

    Args:
        tracks: memory, changed in place.
        max_faces: how many are followed at most.
        look_every: a face's mesh is looked for in every n-th frame, and between carried on by
            optical flow; also looked for where the flow cannot be believed.
    """
    step = _step(frame, tracks)
    kept: list[_Track] = []
    for one in tracks.known:
        # Not in the frames in which newcomers are looked for, and not all faces in one frame.
        look = (tracks.frames + one.track_id + 1) % look_every == 0
        one.unseen_s += step
        mesh = _mesh_now(one, frame.image, detector, look)
        if mesh is not None and not any(_same(mesh, other.raw) for other in kept):
            _advance(one, mesh, step)
            kept.append(one)
        elif one.follower is not None:
            one.follower.close()
    due = tracks.frames % SEARCH_EVERY == 0 or not kept
    if due and len(kept) < max_faces:
        for mesh in detector.find(frame.image, max_faces):
            if len(kept) < max_faces and not any(_same(mesh, one.raw) for one in kept):
                still = np.zeros((len(mesh), 2), np.float32)
                seen = flow.glimpse(frame.image, mesh)
                kept.append(_Track(tracks.next_id, mesh, mesh, still, seen))
                tracks.next_id += 1
    tracks.known = kept
    tracks.frames += 1
    return [as_face(one.smooth, one.track_id) for one in kept]


def _mesh_now(one: _Track, image: UInt8, detector: Detector, look: bool) -> Float32 | None:
    """Where a face of the frame before is now; None if it is gone. Renews its glimpse."""
    carried = None
    if one.glimpse is not None:
        now = flow.again(image, one.glimpse)
        carried = flow.follow(one.glimpse, now, one.raw)
        if carried is not None and not look:
            one.glimpse = now
            return carried
    mesh = _look(one, image, detector, one.raw if carried is None else carried)
    if mesh is not None:
        one.glimpse = flow.glimpse(image, mesh)
    return mesh


def _look(one: _Track, image: UInt8, detector: Detector, expected: Float32) -> Float32 | None:
    """Its mesh by the landmarker: near by from memory, or else searched for around it."""
    if one.follower is None:
        one.follower = detector.follower()
    unseen, one.unseen_s = one.unseen_s, 0.0
    mesh = one.follower.look(image, expected, unseen)
    if mesh is None or overlap(expected, mesh) < SETTLED:
        mesh = detector.follow(image, one.raw)
    return mesh


def as_face(mesh: Float32, track_id: int) -> Face:
    """A Face from its mesh, (478, 3) float32 in frame px."""
    box = np.concatenate([mesh[:, :2].min(0), mesh[:, :2].max(0)])
    return Face(track_id, box, mesh)


def _step(frame: Frame, tracks: Tracks) -> float:
    """Seconds since the frame before."""
    before, tracks.pts = tracks.pts, frame.pts
    if before is None or frame.pts is None or frame.pts <= before:
        return DEFAULT_STEP_S
    return min(float(frame.pts - before), 1.0)


def _same(a: Float32, b: Float32) -> bool:
    """Two meshes of one face: their centres are nearer than half a face."""
    reach = min(np.ptp(a[:, 0]), np.ptp(b[:, 0]))
    apart = np.hypot(*(a[:, :2].mean(0) - b[:, :2].mean(0)))
    return bool(apart < 0.5 * reach)


def _advance(one: _Track, mesh: Float32, step: float) -> None:
    """One-euro filter with one speed for the whole mesh, so that it is never sheared."""
    unit = max(float(np.linalg.norm(mesh[263] - mesh[33])), 1.0)
    now = (mesh - one.raw)[:, :2] / np.float32(unit * step)
    # Low-passed with its sign, so that tremble cancels and only real motion counts as speed.
    one.velocity = one.velocity + np.float32(_share(SPEED_HZ, step)) * (now - one.velocity)
    speed = float(np.median(np.linalg.norm(one.velocity, axis=1)))
    weight = _share(REST_HZ + RISE * speed, step)
    one.smooth = one.smooth + np.float32(weight) * (mesh - one.smooth)
    one.raw = mesh


def _share(cut_off_hz: float, step_s: float) -> float:
    """Weight of the new value in a first-order low pass."""
    return 1.0 / (1.0 + 1.0 / (2 * np.pi * cut_off_hz * step_s))
