"""Which arithmetic a device is fast at."""

from __future__ import annotations

from functools import cache

import torch


@cache
def matrix_type(where: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it: GPUs since Ampere, processors with units for it.

    Elsewhere torch emulates it, ten times slower than float32 (an AMD EPYC with AVX2).
    """
    if where.type == "cuda":
        fast = torch.cuda.is_bf16_supported(including_emulation=False)
    elif where.type == "cpu":
        able = torch.cpu.get_capabilities()
        fast = any(able.get(unit) for unit in ("avx512_bf16", "amx_bf16", "bf16", "sve_bf16"))
    else:
        fast = True
    return torch.bfloat16 if fast else torch.float32
