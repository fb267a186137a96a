"""Which face is which from frame to frame, and meshes that don't tremble."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

import numpy as np

from realtime_unmask.faces import flow, newcomers
from realtime_unmask.faces.detector import SETTLED, Detector, overlap
from realtime_unmask.faces.landmarker import Follower
from realtime_unmask.types import Face, Float32, Frame, UInt8

# A look at the whole frame for newcomers comes this often, and after every GLANCE_EVERY frames
# where something has come into it; between, each face is followed.
SEARCH_EVERY = 15
GLANCE_EVERY = 5
# Where nobody is seen, a face that fills the frame is looked for after every n-th frame, and one
# that lies on its side after every n-th of those: that takes as long as three frames.
HARD_EVERY = 3
SIDEWAYS_EVERY = 15
# One-euro filter (Casiez et al. 2012): cut-off at rest in Hz, and its rise in Hz for each
# outer-eye distance per second. Tuned so that a still head is still and a nod does not lag.
REST_HZ = 1.5
RISE = 18.0
SPEED_HZ = 3.0
DEFAULT_STEP_S = 1 / 30


@dataclass(slots=True)
class _Track:
    track_id: int
    raw: Float32  # in the frame before
    smooth: Float32
    velocity: Float32  # (478, 2), eye distances per second, low-passed
    base: Float32  # what flow carries on: `raw`, or what a look at the same frame made of it
    glimpse: flow.Glimpse | None = None  # of the frame before
    follower: Follower | None = None
    unseen_s: float = 0.0  # since it was looked for
    due: UInt8 | None = None  # the frame before, if a look at it is due


@dataclass(slots=True)
class Tracks:
    """The tracker's memory of one sequence; part of the unmasker's State."""

    known: list[_Track] = field(default_factory=list)
    next_id: int = 0
    frames: int = 0
    pts: Fraction | None = None
    sketch: Float32 | None = None  # of the last frame that was glanced at
    search: tuple[UInt8, int] | None = None  # a frame that may show newcomers; how many in all
    hard: tuple[UInt8, int] | None = None  # one in which nobody was seen, likewise
    hard_looks: int = 0


def track(
    frame: Frame, detector: Detector, tracks: Tracks, max_faces: int, look_every: int = 1
) -> list[Face]:
    """The faces of the next frame of a sequence, with smoothed meshes.

    A frame in which faces are known waits for no landmarker: optical flow carries their meshes on,
    and what a look corrects, or finds anew, shows in the next frame. Those looks are made by
    `catch_up`, or here with the next frame if nobody had the time; the faces are the same.

    Args:
        tracks: memory, changed in place.
        max_faces: how many are followed at most.
        look_every: a face's mesh is looked for in every n-th frame, with 1 at once; also at once
            where the flow cannot be believed.
    """
    catch_up(detector, tracks)
    step = _step(frame, tracks)
    kept: list[_Track] = []
    for one in tracks.known:
        one.unseen_s += step
        mesh = _mesh_now(one, frame.image, detector, at_once=look_every == 1)
        if mesh is not None and not any(_same(mesh, other.raw) for other in kept):
            _advance(one, mesh, step)
            kept.append(one)
            # Not all faces in one frame.
            if look_every > 1 and (tracks.frames + one.track_id + 1) % look_every == 0:
                one.due = frame.image
        else:
            _forget(one)
    tracks.known = kept = _largest(kept, max_faces)
    if not kept:
        _search(detector, frame.image, max_faces, tracks)
        tracks.sketch = newcomers.sketch(frame.image)
        if not tracks.known and tracks.frames % HARD_EVERY == 0:
            tracks.hard = frame.image, max_faces
    elif tracks.frames % GLANCE_EVERY == 0 and len(kept) < max_faces:
        if _newcomer_likely(frame.image, tracks):
            tracks.search = frame.image, max_faces
    tracks.frames += 1
    return [as_face(one.smooth, one.track_id) for one in tracks.known]


def catch_up(detector: Detector, tracks: Tracks) -> None:
    """Make the looks at the frame before that are due, so that the next one need not."""
    kept = []
    for one in tracks.known:
        image, one.due = one.due, None
        if image is not None and not _see(one, image, detector, one.raw):
            _forget(one)
        else:
            kept.append(one)
    tracks.known = kept
    search, tracks.search = tracks.search, None
    if search is not None:
        _search(detector, *search, tracks)
    hard, tracks.hard = tracks.hard, None
    if hard is not None:
        sideways = tracks.hard_looks % SIDEWAYS_EVERY == 0
        tracks.hard_looks += 1
        _add(detector.find_hard(*hard, sideways=sideways), *hard, tracks)


def _largest(known: list[_Track], max_faces: int) -> list[_Track]:
    """At most so many, in their order; it may have been lowered."""
    if len(known) <= max_faces:
        return known
    by_width = sorted(known, key=lambda one: float(np.ptp(one.raw[:, 0])), reverse=True)
    for one in by_width[max_faces:]:
        _forget(one)
    stay = {one.track_id for one in by_width[:max_faces]}
    return [one for one in known if one.track_id in stay]


def _newcomer_likely(image: UInt8, tracks: Tracks) -> bool:
    """Whether the frame is worth a look for newcomers."""
    before, tracks.sketch = tracks.sketch, newcomers.sketch(image)
    if tracks.frames % SEARCH_EVERY == 0:
        return True
    meshes = [one.raw for one in tracks.known]
    return newcomers.came(tracks.sketch, before, meshes, image.shape[1])


def _search(detector: Detector, image: UInt8, max_faces: int, tracks: Tracks) -> None:
    """Follow newcomers that are faces at a second glance too.

    A head that lies on its side shows many a small upright face, and while one is followed nobody
    looks for faces that lie.
    """
    found = detector.find(image, max_faces)
    new = [mesh for mesh in found if not any(_same(mesh, one.raw) for one in tracks.known)]
    settled = [detector.settle(image, mesh) for mesh in new]
    _add([mesh for mesh in settled if mesh is not None], image, max_faces, tracks)


def _add(found: list[Float32], image: UInt8, max_faces: int, tracks: Tracks) -> None:
    """Follow those that are newcomers from now on."""
    known = tracks.known
    for mesh in found:
        if len(known) < max_faces and not any(_same(mesh, one.raw) for one in known):
            still = np.zeros((len(mesh), 2), np.float32)
            seen = flow.glimpse(image, mesh)
            known.append(_Track(tracks.next_id, mesh, mesh, still, mesh, seen))
            tracks.next_id += 1


def _mesh_now(
    one: _Track, image: UInt8, detector: Detector, *, at_once: bool
) -> Float32 | None:
    """Where a face of the frame before is now; None if it is gone. Renews its glimpse."""
    carried = None
    if one.glimpse is not None:
        now = flow.again(image, one.glimpse)
        carried = flow.follow(one.glimpse, now, one.base)
        if carried is not None and not at_once:
            one.glimpse, one.base = now, carried
            return carried
    found = _see(one, image, detector, one.base if carried is None else carried)
    return one.base if found else None


def _see(one: _Track, image: UInt8, detector: Detector, expected: Float32) -> bool:
    """Look for a face, and let flow go on from there; whether it is there."""
    mesh = _look(one, image, detector, expected)
    if mesh is None:
        return False
    one.base, one.glimpse = mesh, flow.glimpse(image, mesh)
    return True


def _forget(one: _Track) -> None:
    if one.follower is not None:
        one.follower.close()


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
