"""Kernel machines on rows that are much alike."""

from __future__ import annotations

import numpy as np
import torch

from assay.baselines.kernel_machine import _bumps, _root


def test_a_kernel_of_rows_much_alike_has_a_root():
    rows = torch.from_numpy(np.random.default_rng(0).normal(0, 1e-3, (600, 3)).astype(np.float32))
    kernel = _bumps(rows, rows, 1.0)
    kernel[:300, :300] += 1e-4 * torch.randn(300, 300, generator=torch.Generator().manual_seed(0))
    kernel = (kernel + kernel.T) / 2
    _, failed = torch.linalg.cholesky_ex(kernel.double() + 1e-5 * torch.eye(600, dtype=torch.float64))
    assert failed, "the case that this test is about"
    root = _root(kernel)
    assert torch.isfinite(root).all()
    # A A^T is the inverse of what has a root: the kernel with a little more on its diagonal.
    assert float((root.T.double() @ kernel.double() @ root.double()).diagonal().max()) < 1.05


def test_a_root_is_that_of_the_inverse():
    rows = torch.from_numpy(np.random.default_rng(1).normal(0, 1, (50, 4)).astype(np.float32))
    kernel = _bumps(rows, rows, 0.5)
    root = _root(kernel).double()
    assert torch.allclose(root @ root.T @ kernel.double(), torch.eye(50, dtype=torch.float64), atol=2e-2)
