"""What a live session takes and tells."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from realtime_unmask.errors import UsageError
from realtime_unmask.settings import Settings
from realtime_unmask.types import Frame, FrameResult, Likeness
from realtime_unmask.unmask.unmasker import State

LOST = ("masked", "hold", "blur")
ROTATIONS = (0, 90, 180, 270)


@dataclass(frozen=True, slots=True)
class LiveOptions:
    """How a live picture is turned and shown; all may be changed while it runs.

    Attributes:
        mirror: left and right are exchanged, as in a mirror.
        rotate: degrees clockwise, one of ROTATIONS.
        lost: what is shown while a face that was painted is lost: "masked" (the picture as the
            camera gives it), "hold" (the last good picture) or "blur" (that place blurred).
        badge: say "AI-reconstructed" in all pictures that leave the program.
        likeness: the bare face that the paint follows, not mirrored; None: it is made up.

    Raises:
        UsageError: a value is none of these.
    """

    mirror: bool = False
    rotate: int = 0
    lost: str = "masked"
    badge: bool = True
    likeness: Likeness | None = None

    def __post_init__(self) -> None:
        if self.lost not in LOST:
            raise UsageError(f"lost is one of {', '.join(LOST)}, not '{self.lost}'.")
        if self.rotate not in ROTATIONS:
            raise UsageError(f"rotate is 0, 90, 180 or 270 degrees, not {self.rotate}.")


@dataclass(frozen=True, slots=True, eq=False)
class LiveFrame:
    """One instant, done.

    Attributes:
        result: before and after, faces, times; what the unmasker made of it.
        shown: the frame to show: result.output, or another one where a face is lost.
        status: "starting" (no networks yet: as the camera gave it), "done", "lost" (see
            LiveOptions.lost) or "late" (the networks take too long: as the camera gave it).
        captured_ns: time.perf_counter_ns() when the camera gave it.
        chosen: track_id of the face that was chosen; None without one.
        rung: of the quality ladder that it was made on; 0 is the top, where nothing is left out.
    """

    result: FrameResult
    shown: Frame
    status: str
    captured_ns: int
    chosen: int | None = None
    rung: int = 0


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should know just now.

    Attributes:
        kind: what it is, for programs: "no_camera", "camera_busy", "camera_denied",
            "camera_failed", "no_stream", "source", "stalled", "opening", "asleep", "engines",
            "engine_lost", "gpu", "late", "disk_full", "output_failed", "no_virtual_camera",
            "virtual_camera_gone", "quality"; of what is stuck when all is stopped
            "output_unfinished", "source_stuck", "engines_stuck".
        text: a sentence.
        grave: something does not work.
        output: the name of the output that ended because of it, or "".
    """

    kind: str
    text: str
    grave: bool = False
    output: str = ""


@dataclass(frozen=True, slots=True)
class OutputStats:
    """The books of one output: offered = written + dropped + waiting (+ 1 while it writes one).

    Attributes:
        offered: frames it was handed since it was attached.
        written: those it took.
        dropped: those it was too slow for, or that came after its end.
        waiting: those that stand in its queue.
    """

    offered: int = 0
    written: int = 0
    dropped: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class LiveStats:
    """The figures of now. captured = shown + the sum of drops + in_flight, exactly.

    Attributes:
        captured: frames that the source saw, since start().
        shown: frames that were finished and handed to window and outputs.
        in_flight: frames on their way (0 after stop()).
        drops: by cause: "capture" (came faster than they could be fetched), "worker busy"
            (a newer one came first), "late" (finished after the picture had gone on), "stopped".
        fps_in, fps_out: frames a second, over the last two seconds.
        age_p50_ms, age_p95_ms: from the camera to finished, over the last frames.
        stages_ms: mean milliseconds by stage, in order, over the last frames.
        backend: what runs the networks; "" while none does.
        reason: why that.
        outputs: by name.
        asleep: the camera is released, since nobody looks.
    """

    captured: int = 0
    shown: int = 0
    in_flight: int = 0
    drops: Mapping[str, int] = field(default_factory=dict)
    fps_in: float = 0.0
    fps_out: float = 0.0
    age_p50_ms: float = 0.0
    age_p95_ms: float = 0.0
    stages_ms: Mapping[str, float] = field(default_factory=dict)
    backend: str = ""
    reason: str = ""
    outputs: Mapping[str, OutputStats] = field(default_factory=dict)
    asleep: bool = False


class LiveUnmasker(Protocol):
    """What a session needs of an Unmasker. Made, used and closed in one thread.

    Attributes:
        settings: set between two frames.
        likeness: the bare face that the paint follows; likewise.
    """

    likeness: Likeness | None

    @property
    def settings(self) -> Settings: ...

    @settings.setter
    def settings(self, settings: Settings) -> None: ...

    @property
    def backend(self) -> str:
        """What runs the networks."""
        ...

    @property
    def reason(self) -> str:
        """Why that."""
        ...

    def warm(self) -> None:
        """Do before the first frame what would hold up frames later on."""
        ...

    def process(self, frame: Frame, state: State) -> FrameResult:
        """Unmask one frame of a sequence."""
        ...

    def begin(self, frame: Frame, state: State) -> Any:
        """Begin with one frame; the frame before need not be finished yet."""
        ...

    def finish(self, begun: Any) -> FrameResult:
        """What became of a frame that was begun, in their order."""
        ...

    def catch_up(self, state: State) -> None:
        """Do beforehand what the next frame would have to wait for."""
        ...

    def close(self) -> None:
        """Free everything."""
        ...


class AtOnce(ABC):
    """The rest of a LiveUnmasker, or FileUnmasker, that does all of a frame in process()."""

    likeness: Likeness | None = None

    def warm(self) -> None:  # noqa: B027  an unmasker may have nothing to do
        """See LiveUnmasker."""

    def on_head(self, frame: Frame) -> bool | None:
        """See FileUnmasker: nobody is seen to."""
        return None

    @abstractmethod
    def process(self, frame: Frame, state: State) -> FrameResult:
        """See LiveUnmasker."""

    def begin(self, frame: Frame, state: State) -> FrameResult:
        """See LiveUnmasker."""
        return self.process(frame, state)

    def finish(self, begun: FrameResult) -> FrameResult:
        """See LiveUnmasker."""
        return begun

    def catch_up(self, state: State) -> None:  # noqa: B027  an unmasker may have nothing to do
        """See LiveUnmasker."""
