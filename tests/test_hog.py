"""Laws of the orientation histograms: light does not matter, a mirror turns them round, batch = each alone."""

from __future__ import annotations

import torch

from kptool.models.hog import Hog

HEIGHT, WIDTH = 37, 26


def pictures(count: int = 3, seed: int = 0) -> torch.Tensor:
    return torch.rand(count, 1, HEIGHT, WIDTH, generator=torch.Generator().manual_seed(seed)) * 255


def test_the_length_is_what_it_says_and_unfinished_cells_are_left_out() -> None:
    hog = Hog(cell=5, bins=7)
    assert hog(pictures()).shape == (3, hog.length((WIDTH, HEIGHT))) == (3, 7 * 5 * 7)
    cut = pictures()[:, :, :35, :25]
    inner = hog(cut).view(3, 7, 7, 5)[:, :, :-1, :-1]  # the last cells see what was cut away through their gradients
    torch.testing.assert_close(
        hog(pictures()).view(3, 7, 7, 5)[:, :, :-2, :-2], inner[:, :, :-1, :-1], atol=0.02, rtol=0
    )


def test_light_does_not_matter() -> None:
    hog, images = Hog(6, 8), pictures()
    torch.testing.assert_close(hog(images), hog(images + 40), atol=1e-4, rtol=0)
    torch.testing.assert_close(hog(images), hog(images * 0.25), atol=1e-4, rtol=0)


def test_a_batch_is_each_alone() -> None:
    hog, images = Hog(6, 8), pictures(4)
    alone = torch.cat([hog(image[None]) for image in images])
    torch.testing.assert_close(hog(images), alone, atol=1e-6, rtol=0)


def test_a_mirror_image_has_the_mirrored_histogram() -> None:
    cells, bins = (WIDTH // 6, HEIGHT // 6), 8
    hog, images = Hog(6, bins), pictures()[..., : 6 * (WIDTH // 6)]
    found = hog(images.flip(3)).view(3, bins, cells[1], cells[0])
    turned = [(bins // 2 - k) % bins for k in range(bins)]  # an angle a becomes pi - a
    torch.testing.assert_close(
        found, hog(images).view(3, bins, cells[1], cells[0])[:, turned].flip(3), atol=1e-4, rtol=0
    )


def test_an_edge_votes_for_its_orientation() -> None:
    image = torch.zeros(1, 1, 12, 12)
    image[..., 6:] = 255  # bright on the right: the gradient points along x, bin 0
    found = Hog(6, 8)(image).view(8, 2, 2)
    assert (found[0] > 0.9 * found.amax(0)).all()
    assert found[2:7].abs().max() < 1e-3


def test_flat_pictures_are_finite() -> None:
    assert torch.isfinite(Hog()(torch.full((2, 1, 16, 24), 9.0))).all()
