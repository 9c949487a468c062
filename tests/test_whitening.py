"""Law: whitened components are decorrelated, of unit size, and the same whichever way they are found."""

from __future__ import annotations

import numpy as np
import pytest

from kptool.whitening import cosines, fit_whitening


def mixed(rows: int, columns: int, seed: int = 3) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    generator = np.random.default_rng(seed)
    return generator.normal(size=(rows, columns)) @ generator.normal(size=(columns, columns)) + generator.normal(
        size=columns
    )


@pytest.mark.parametrize(("rows", "columns"), [(60, 11), (11, 60)])
def test_whitened_values_have_the_identity_for_covariance(rows: int, columns: int) -> None:
    data = mixed(rows, columns)
    values = fit_whitening(data, 7)(data)
    assert values.shape == (rows, 7)
    np.testing.assert_allclose(values.mean(0), 0, atol=1e-9)
    np.testing.assert_allclose(values.T @ values / rows, np.eye(7), atol=1e-8)


def test_power_0_keeps_distances_and_power_1_forgets_scales() -> None:
    data = mixed(40, 9)
    plain = fit_whitening(data, 9, power=0)(data)
    apart = np.linalg.norm(data[0] - data[1])
    assert np.linalg.norm(plain[0] - plain[1]) == pytest.approx(apart)
    turned = data @ np.linalg.qr(mixed(9, 9, 5))[0] * 3 + 2
    gram = [values @ values.T for values in (fit_whitening(data, 9)(data), fit_whitening(turned, 9)(turned))]
    np.testing.assert_allclose(gram[0], gram[1], atol=1e-8)


def test_both_ways_of_finding_components_agree() -> None:
    data = mixed(30, 30)
    few, many = fit_whitening(data[:, :29], 5)(data[:, :29]), fit_whitening(np.pad(data[:, :29], ((0, 0), (0, 9))), 5)
    np.testing.assert_allclose(few, many(np.pad(data[:, :29], ((0, 0), (0, 9)))), atol=1e-7)


def test_there_are_no_more_components_than_the_values_have() -> None:
    flat = np.repeat(mixed(8, 3), 4, axis=1)
    assert fit_whitening(flat, 10).matrix.shape == (12, 3)


def test_cosines() -> None:
    a = np.array([[3.0, 4.0], [1.0, 0.0], [0.0, 0.0]])
    b = np.array([[6.0, 8.0], [-2.0, 0.0], [1.0, 1.0]])
    np.testing.assert_allclose(cosines(a, b), [1, -1, 0])
