"""Which precision a processor is fast in."""

from __future__ import annotations

from functools import cache
from typing import Any

import torch


@cache
def multiplies_bfloat16() -> bool:
    """Whether this processor has instructions for products of bfloat16 numbers (AVX512_BF16 or AMX_BF16).

    Without them PyTorch computes such products in software, several times slower than those of float32.
    """
    tell: Any = getattr(torch.cpu, "get_capabilities", None)
    if tell is None:
        return False
    known = tell()
    return bool(known.get("avx512_bf16") or known.get("amx_bf16"))
