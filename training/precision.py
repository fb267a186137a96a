"""Which arithmetic a device is fast at."""

from __future__ import annotations

from functools import cache

import torch


@cache
def matrix_type(where: torch.device) -> torch.dtype:
    """bfloat16 where the hardware multiplies it: GPUs, and processors with AVX-512 or AMX for it.

    Elsewhere torch emulates it, ten times slower than float32 (an AMD EPYC with AVX2).
    """
    if where.type != "cpu":
        return torch.bfloat16
    able = torch.cpu.get_capabilities()
    fast = able.get("avx512_bf16") or able.get("amx_bf16")
    return torch.bfloat16 if fast else torch.float32
