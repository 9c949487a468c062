"""Law: whitened components are decorrelated, of unit size, and the same whichever way they are found."""

from __future__ import annotations

import numpy as np
import pytest

from kptool.dataset import Ints
from kptool.errors import DataError
from kptool.geometry import Floats
from kptool.whitening import cosines, fit_whitening, fit_within


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


def people(count: int = 40, each: int = 6, length: int = 5) -> tuple[Floats, Ints]:
    """Pictures of people that vary alike around each person's mean, more in some directions; rows by lot."""
    rng = np.random.default_rng(4)
    person = rng.permutation(np.repeat(np.arange(count), each))
    vary = rng.normal(size=(length, length))
    return rng.normal(size=(count, length))[person] * 3 + rng.normal(size=(len(person), length)) @ vary, person


def within(values: Floats, person: Ints) -> Floats:
    """The covariance of pictures around their person's mean, person by person."""
    away = np.concatenate([values[person == p] - values[person == p].mean(0) for p in np.unique(person)])
    return np.asarray(away.T @ away / (len(person) - len(np.unique(person))))


def test_after_it_pictures_of_one_person_vary_alike_in_all_directions() -> None:
    values, person = people()
    np.testing.assert_allclose(within(values @ fit_within(values, person, 0), person), np.eye(5), atol=1e-9)


def test_people_who_stand_there_once_say_nothing() -> None:
    values, person = people()
    more = np.concatenate([values, np.random.default_rng(1).normal(0, 50, (7, 5))])
    alone = np.concatenate([person, 1000 + np.arange(7)])
    np.testing.assert_allclose(fit_within(more, alone, 0.3), fit_within(values, person, 0.3), atol=1e-12)


def test_shrunk_wholly_it_is_one_number_and_angles_stay() -> None:
    values, person = people()
    matrix = fit_within(values, person, 1.0)
    level = np.trace(within(values, person)) / 5
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(5) / level, atol=1e-9)
    np.testing.assert_allclose(
        cosines(values[:9] @ matrix, values[9:18] @ matrix), cosines(values[:9], values[9:18]), atol=1e-9
    )


def test_half_shrunk_it_is_the_mean_of_both() -> None:
    values, person = people()
    found = np.linalg.inv(fit_within(values, person, 0.5) @ fit_within(values, person, 0.5).T)
    spread = within(values, person)
    np.testing.assert_allclose(found, 0.5 * spread + 0.5 * np.trace(spread) / 5 * np.eye(5), atol=1e-9)


def test_names_and_order_of_people_mean_nothing() -> None:
    values, person = people()
    order = np.random.default_rng(2).permutation(len(person))
    one, other = fit_within(values, person, 0.2), fit_within(values[order], 7 - 3 * person[order], 0.2)
    np.testing.assert_allclose(one @ one.T, other @ other.T, atol=1e-12)


def test_few_pictures_of_many_directions_are_finite_once_shrunk() -> None:
    values, person = people(count=4, each=2, length=30)
    assert np.isfinite(fit_within(values, person, 0.5)).all()
    with pytest.raises(DataError, match="no person has two pictures"):
        fit_within(values, np.arange(8), 0.5)
