"""bf16 only where the hardware multiplies it."""

from __future__ import annotations

import pytest
import torch

from training import precision
from training.precision import convolution_s, matrix_type


@pytest.mark.parametrize(
    ("able", "bf16_s", "kind"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, 0.5, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, 0.5, torch.bfloat16),
        ({"avx512_bf16": True, "amx_bf16": False}, 1.5, torch.float32),
        ({"avx2": True}, 0.5, torch.float32),
    ],
)
def test_a_processor_computes_in_what_it_is_fast_at(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], bf16_s: float, kind: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    spent = {torch.bfloat16: bf16_s, torch.float32: 1.0}
    monkeypatch.setattr(precision, "convolution_s", spent.__getitem__)
    matrix_type.cache_clear()
    try:
        assert matrix_type(torch.device("cpu")) is kind
    finally:
        matrix_type.cache_clear()


def test_a_convolution_is_timed_in_either_kind() -> None:
    assert all(convolution_s(kind) > 0 for kind in (torch.bfloat16, torch.float32))


@pytest.mark.parametrize(("able", "kind"), [(True, torch.bfloat16), (False, torch.float32)])
def test_a_card_computes_in_bf16_if_it_does_not_emulate_it(
    monkeypatch: pytest.MonkeyPatch, able: bool, kind: torch.dtype
) -> None:
    def supported(including_emulation: bool = True) -> bool:
        return able or including_emulation

    monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
    matrix_type.cache_clear()
    try:
        assert matrix_type(torch.device("cuda", 0)) is kind
    finally:
        matrix_type.cache_clear()
