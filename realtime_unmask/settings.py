"""Settings: validated once, passed down, never changed."""

from __future__ import annotations

from dataclasses import dataclass

from realtime_unmask.errors import UsageError

BACKENDS = (
    "auto",
    "tensorrt",
    "tensorrt_rtx",
    "torch",
    "openvino",
    "onnxruntime",
    "torch_cpu",  # the numerical reference
)


@dataclass(frozen=True, slots=True)
class Settings:
    """How the unmasker works.

    Attributes:
        backend: one of BACKENDS; "auto" takes the one that serves best here.
        threads: CPU threads for the networks; 0 leaves the choice to the backend.
        precision: "auto" (bf16 where the CPU has it), "fp32" or "bf16".
        max_faces: how many faces are followed in a video; a still has no limit.
        mask_threshold: a map value from which a crop pixel counts as mask, 0..1. Below a half,
            since a missed piece of mask looks worse than a pixel of skin painted anew.
        feather_px: width of the blend inside the grown rim, crop px, 0..3.
        colour_match: fit the painted region's colour to its surroundings.

    Raises:
        UsageError: a value is outside its range.
    """

    backend: str = "auto"
    threads: int = 0
    precision: str = "auto"
    max_faces: int = 4
    mask_threshold: float = 0.3
    feather_px: float = 2.0
    colour_match: bool = True

    def __post_init__(self) -> None:
        if self.backend not in BACKENDS:
            raise UsageError(
                f"There is no backend '{self.backend}'. Choose one of: {', '.join(BACKENDS)}."
            )
        if self.precision not in ("auto", "fp32", "bf16"):
            raise UsageError(f"Precision is auto, fp32 or bf16, not '{self.precision}'.")
        if self.threads < 0:
            raise UsageError(f"threads must be 0 or more, not {self.threads}.")
        if self.max_faces < 1:
            raise UsageError(f"max_faces must be at least 1, not {self.max_faces}.")
        if not 0.0 < self.mask_threshold < 1.0:
            raise UsageError(f"mask_threshold lies between 0 and 1, not {self.mask_threshold}.")
        if not 0.0 <= self.feather_px <= 3.0:
            raise UsageError(f"feather_px lies between 0 and 3, not {self.feather_px}.")
