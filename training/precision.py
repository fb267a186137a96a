"""Which arithmetic a device is fast at."""

from __future__ import annotations

import time
from functools import cache

import torch
from torch.nn import functional as F

_UNITS = ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16")
_TRIALS = 5


@cache
def matrix_type(where: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it fast: GPUs since Ampere, some processors.

    Without units for it torch emulates it, ten times slower than float32 (an AMD EPYC with AVX2);
    with some of them it takes half as long again (an Intel Xeon with avx512_bf16 but no AMX), so
    that a processor is asked by a timed convolution.
    """
    if where.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif where.type == "cpu":
        able = torch.cpu.get_capabilities()
        fast = any(able.get(unit) for unit in _UNITS) and (
            convolution_s(torch.bfloat16) < convolution_s(torch.float32)
        )
    else:
        fast = True
    return torch.bfloat16 if fast else torch.float32


def convolution_s(kind: torch.dtype) -> float:
    """How long the processor takes for a layer like those that are trained; the best of some."""
    image, weight = (
        torch.ones(shape, dtype=kind).to(memory_format=torch.channels_last)
        for shape in ((4, 64, 64, 64), (64, 64, 3, 3))
    )
    spent = []
    for _ in range(_TRIALS):
        began = time.perf_counter()
        F.conv2d(image, weight, padding=1)
        spent.append(time.perf_counter() - began)
    return min(spent)
