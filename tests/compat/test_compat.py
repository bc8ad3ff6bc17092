"""Code in the manner of public projects gives the original's values under ours.

Each function of cases/*.py is written once and runs under both; see conftest.py. Tolerances are
relative to the largest value: 1e-5 in float32, 2e-3 in float16; everything else is equal exactly.
"""

from __future__ import annotations

import numpy as np
import pytest

from .runner import cases, differentiates, needs_torchvision

CASES = cases()
INFERENCE = [
    name for name, case in CASES.items() if not (differentiates(case) or needs_torchvision(case))
]
TOLERANCES = {np.dtype(np.float16): 2e-3, np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-5}


def _values(results, case):
    """The case's values by name, or a failure with its traceback."""
    values = {key.partition("/")[2]: v for key, v in results.items() if key.startswith(f"{case}/")}
    assert values, f"{case} was not run"
    if "raised" in values:
        pytest.fail(f"{case} raised:\n{values['raised']}")
    return values


def _assert_equal(name, got, expected):
    assert got.shape == expected.shape, f"{name}: {got.shape}, not {expected.shape}: {got}"
    if expected.dtype.kind != "f":
        np.testing.assert_array_equal(got, expected, err_msg=name)
        return
    assert got.dtype == expected.dtype, f"{name}: {got.dtype}, not {expected.dtype}"
    finite = np.isfinite(expected)
    np.testing.assert_array_equal(got[~finite], expected[~finite], err_msg=name)
    largest = np.abs(expected[finite].astype(np.float64)).max(initial=0)
    atol = TOLERANCES[expected.dtype] * largest
    np.testing.assert_allclose(got[finite], expected[finite], rtol=0, atol=atol, err_msg=name)


def _assert_same(got, expected):
    assert got.keys() == expected.keys()
    for name, value in expected.items():
        _assert_equal(name, got[name], value)


@pytest.mark.parametrize("case", CASES)
def test_equals_the_original(case, original, request):
    with_torchvision = needs_torchvision(CASES[case])
    ours = request.getfixturevalue("ours_with_torchvision" if with_torchvision else "ours")
    _assert_same(_values(ours, case), _values(original, case))


@pytest.mark.parametrize("case", INFERENCE)
def test_equals_the_original_without_gradients(case, original, ours_without_gradients):
    _assert_same(_values(ours_without_gradients, case), _values(original, case))


@pytest.mark.parametrize("case", CASES)
def test_golden_values_are_the_originals(case, original, golden, peers_python):
    _assert_same(_values(golden, case), _values(original, case))


def test_every_file_of_cases_is_read():
    assert len(CASES) > 100
    assert {name.partition(".")[0] for name in CASES} >= {"prompts", "dense", "patching", "words"}
