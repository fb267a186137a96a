"""bf16 only where the hardware multiplies it."""

from __future__ import annotations

import pytest
import torch

from training.precision import matrix_type


@pytest.mark.parametrize(
    ("able", "kind"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx2": True}, torch.float32),
    ],
)
def test_a_processor_computes_in_what_it_is_fast_at(
    monkeypatch: pytest.MonkeyPatch, able: dict[str, bool], kind: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: able)
    matrix_type.cache_clear()
    try:
        assert matrix_type(torch.device("cpu")) is kind
    finally:
        matrix_type.cache_clear()


def test_a_card_computes_in_bf16() -> None:
    assert matrix_type(torch.device("cuda", 0)) is torch.bfloat16
