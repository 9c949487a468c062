"""Laws of the coded descriptors: light does not matter, a batch is each alone, and counts are what counting says."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch

from kptool.models.codes import PHASES, UNIFORM, Lbp, Lpq, histograms

HEIGHT, WIDTH = 41, 29
MODULES = [Lbp(1, 7), Lbp(2, 6), Lbp(3, 11), Lpq(3, 7), Lpq(7, 10)]


def pictures(count: int = 3, seed: int = 0, height: int = HEIGHT, width: int = WIDTH) -> torch.Tensor:
    return torch.randint(0, 256, (count, 1, height, width), generator=torch.Generator().manual_seed(seed)).float()


@pytest.mark.parametrize("module", MODULES)
def test_the_length_is_what_it_says(module: Lbp | Lpq) -> None:
    found = module(pictures())
    lost = 2 * module.radius if isinstance(module, Lbp) else module.window - 1
    bins = UNIFORM if isinstance(module, Lbp) else PHASES
    cells = ((WIDTH - lost) // module.cell) * ((HEIGHT - lost) // module.cell)
    assert found.shape == (3, module.length((WIDTH, HEIGHT))) == (3, bins * cells)
    shares = found.square().view(3, cells, bins).sum(2)
    torch.testing.assert_close(shares, torch.ones(3, cells))


@pytest.mark.parametrize("module", MODULES)
def test_a_batch_is_each_alone(module: Lbp | Lpq) -> None:
    images = pictures(4)
    alone = torch.cat([module(image[None]) for image in images])
    torch.testing.assert_close(module(images), alone)


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(("gain", "offset"), [(1.0, 30.0), (2.0, 0.0), (0.5, 90.0)])
def test_gain_and_offset_do_not_matter(module: Lbp | Lpq, gain: float, offset: float) -> None:
    # Grey levels between whole ones, so that no phase is exactly nothing. A difference near the slack of `Lbp` may fall
    # to its other side: a pixel's code then leaves one bin for another, of some 15000 comparisons.
    images = pictures() + torch.rand(3, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(8))
    changed = (module(images * gain + offset).square() - module(images).square()).abs()
    assert changed.sum() * module.cell**2 <= 2 * 8


@pytest.mark.parametrize("rise", [torch.sqrt, lambda x: x**2 / 255, lambda x: torch.exp(x / 64)])
def test_no_rising_map_changes_who_is_brighter_on_the_pixel_grid(rise: Callable[[torch.Tensor], torch.Tensor]) -> None:
    # Steps of 4 keep all differences above the slack; diagonal neighbours stand between pixels and follow no such law.
    images = pictures() // 4 * 4 + 4
    one, other = (codes_of(image[:, 0], 2) for image in (images, rise(images)))
    both = (one >= 0) & (other >= 0)
    assert both.float().mean() > 0.1
    for bit in (0, 2, 4, 6):  # right, above, left, below
        assert torch.equal(one[both] >> bit & 1, other[both] >> bit & 1)
    assert not torch.equal(one[both], other[both])


def codes_of(grey: torch.Tensor, r: int) -> torch.Tensor:
    """The patterns themselves, read off one-pixel cells; only uniform ones can be told, others are -1."""
    found = Lbp(r, 1)(grey[:, None]).view(len(grey), grey.shape[1] - 2 * r, grey.shape[2] - 2 * r, UNIFORM).argmax(-1)
    uniform = [p for p in range(256) if changes(p) <= 2]
    return torch.tensor([*uniform, -1])[found]


def changes(pattern: int) -> int:
    bits = [pattern >> k & 1 for k in range(8)]
    return sum(bits[k] != bits[k - 1] for k in range(8))


def brighter(image: np.ndarray[tuple[int, int], np.dtype[np.float64]], x: int, y: int, r: int) -> int:
    """A pixel's pattern by hand: bit k where the neighbour at 45 k degrees, counter-clockwise, is not darker."""
    pattern = 0
    for bit in range(8):
        dx, dy = r * math.cos(math.pi * bit / 4), -r * math.sin(math.pi * bit / 4)
        left, top = math.floor(dx + 1e-9), math.floor(dy + 1e-9)
        level = 0.0
        for column, wx in ((left, 1 - dx + left), (left + 1, dx - left)):
            for row, wy in ((top, 1 - dy + top), (top + 1, dy - top)):
                if wx * wy > 1e-6:
                    level += wx * wy * image[y + row, x + column]
        pattern |= (level >= image[y, x] - 1e-2) << bit
    return pattern


@pytest.mark.parametrize("radius", [1, 2])
def test_a_cell_counts_the_patterns_of_its_pixels(radius: int) -> None:
    height, width, cell = 9 + 2 * radius, 11 + 2 * radius, 5
    image = pictures(1, 3, height, width)
    grey = image[0, 0].double().numpy()
    order = [p for p in range(256) if changes(p) <= 2]
    assert len(order) == UNIFORM - 1
    counts = np.zeros((1, 2, UNIFORM))
    for y in range(5):
        for x in range(10):
            pattern = brighter(grey, x + radius, y + radius, radius)
            counts[0, x // cell, order.index(pattern) if pattern in order else UNIFORM - 1] += 1
    found = Lbp(radius, cell)(image).view(1, 2, UNIFORM).square() * cell**2
    np.testing.assert_allclose(found, counts, atol=1e-4)


def test_a_cell_counts_the_phases_of_its_windows() -> None:
    window, cell = 5, 4
    image = pictures(1, 5, 12, 9)
    grey = image[0, 0].double().numpy()
    at = np.arange(window) - window // 2
    wave, flat = np.exp(-2j * np.pi * at / window), np.ones(window)
    waves = [np.outer(flat, wave), np.outer(wave, flat), np.outer(wave, wave), np.outer(wave, wave.conj())]
    counts = np.zeros((2, 1, PHASES))
    for y in range(8):
        for x in range(4):
            sums = [(grey[y : y + window, x : x + window] * one).sum() for one in waves]
            parts = [part for one in sums for part in (one.real, one.imag)]
            counts[y // cell, 0, sum((part > 0) << bit for bit, part in enumerate(parts))] += 1
    found = Lpq(window, cell)(image).view(2, 1, PHASES).square() * cell**2
    np.testing.assert_allclose(found, counts, atol=1e-4)


def test_a_flat_picture_has_one_pattern() -> None:
    for level in (0.0, 9.0, 255.0):
        found = Lbp(2, 6)(torch.full((1, 1, 20, 17), level)).view(-1, UNIFORM)
        assert (found.argmax(1) == UNIFORM - 2).all(), "all neighbours are as bright: the last uniform pattern"
        assert torch.equal(found.sum(1), torch.ones(len(found)))


def test_histograms_by_hand() -> None:
    codes = torch.tensor([[[0, 1, 2, 2, 1], [1, 1, 2, 0, 1], [2, 2, 2, 2, 2]]])
    found = histograms(codes, 3, 2).square().view(2, 3) * 4
    torch.testing.assert_close(found, torch.tensor([[1.0, 3, 0], [1, 0, 3]]))
