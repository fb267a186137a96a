"""Settings: validated once, passed down, never changed."""

from __future__ import annotations

from dataclasses import dataclass

from realtime_unmask.errors import UsageError

BACKENDS = (
    "auto",
    "cpu",  # the first of those below that works without a GPU
    "tensorrt",
    "tensorrt_rtx",
    "torch",
    "openvino",
    "onnxruntime",
    "torch_cpu",  # the numerical reference
)
# ONNX Runtime makes as many as it is told, for minutes, or fails with no error of its own.
MAX_THREADS = 1024
FACES = ("all", "largest", "chosen")


@dataclass(frozen=True, slots=True)
class Settings:
    """How the unmasker works.

    Attributes:
        backend: one of BACKENDS; "auto" takes the one that serves best here, "cpu" the first one
            that works without a GPU.
        threads: CPU threads for the networks, at most MAX_THREADS; 0 leaves the choice to the
            backend.
        precision: "auto" (the fastest that loses nothing visible), "fp32", "bf16" or "int8".
        max_faces: how many faces are followed in a video; a still has no limit.
        mask_threshold: a map value from which a crop pixel counts as mask, 0..1. Below a half,
            since a missed piece of mask looks worse than a pixel of skin painted anew.
        feather_px: width of the blend inside the grown rim, crop px, 0..3.
        colour_match: fit the painted region's colour to its surroundings.
        strength: opacity of the paint, 0..1.
        faces: whose masks are painted over: "all", "largest" or "chosen" (by a click, in a
            State's `choice`; none without one).

    Raises:
        UsageError: a value is outside its range.
    """

    backend: str = "auto"
    threads: int = 0
    precision: str = "auto"
    max_faces: int = 4
    mask_threshold: float = 0.25
    feather_px: float = 2.0
    colour_match: bool = True
    strength: float = 1.0
    faces: str = "all"

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise UsageError(
                f"There is no backend '{self.backend}'. Choose one of: {', '.join(BACKENDS)}."
            )
        if self.precision not in ("auto", "fp32", "bf16", "int8"):
            raise UsageError(f"Precision is auto, fp32, bf16 or int8, not '{self.precision}'.")
        if not 0 <= self.threads <= MAX_THREADS:
            raise UsageError(
                f"The number of threads must be 0 to {MAX_THREADS}, not {self.threads}."
            )
        if self.max_faces < 1:
            raise UsageError(f"The number of faces must be at least 1, not {self.max_faces}.")
        if not 0.0 < self.mask_threshold < 1.0:
            raise UsageError(f"mask_threshold lies between 0 and 1, not {self.mask_threshold}.")
        if not 0.0 <= self.feather_px <= 3.0:
            raise UsageError(f"feather_px lies between 0 and 3, not {self.feather_px}.")
        if not 0.0 <= self.strength <= 1.0:
            raise UsageError(f"strength lies between 0 and 1, not {self.strength}.")
        if self.faces not in FACES:
            raise UsageError(f"faces is one of {', '.join(FACES)}, not '{self.faces}'.")

    @property
    def engine_choice(self) -> tuple[str, int, str]:
        """What the engines are made by; all else can change between two frames."""
        return self.backend, self.threads, self.precision
