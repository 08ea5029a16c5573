"""Plain arguments: what fits passes, everything else is named with what came."""

import numpy as np
import pytest

from sigraph.files.arguments import check_flags, check_integers, check_rates


def test_what_fits_passes():
    check_integers("Owner", 1, a=1, b=10**30, c=np.int32(3))
    check_rates("Owner", a=0, b=0.5, c=np.float32(0.999))
    check_rates("Owner", above_zero=True, a=1e-9)
    check_flags("Owner", a=True, b=False)


@pytest.mark.parametrize("value", [1, -3, 2.0, "hello", "3", None, True, [3], float("nan")], ids=repr)
def test_what_is_no_integer_from_two_is_named(value):
    with pytest.raises(ValueError, match=r"'b' needs to be an integer >= 2 in 'Owner' \(got ") as error:
        check_integers("Owner", 2, a=2, b=value)
    assert f"(got {value!r})" in str(error.value)


@pytest.mark.parametrize("value", [-0.1, 1, 1.5, "0.5", None, False, float("nan"), 0.5j], ids=repr)
def test_what_is_no_rate_is_named(value):
    for above_zero, needed in ((False, r"\[0, 1\)"), (True, r"\(0, 1\)")):
        with pytest.raises(ValueError, match=rf"'a' needs to be in {needed} in 'Owner'") as error:
            check_rates("Owner", above_zero, a=value)
        assert f"(got {value!r})" in str(error.value)
    with pytest.raises(ValueError, match=r"\(0, 1\)"):
        check_rates("Owner", above_zero=True, a=0.0)


@pytest.mark.parametrize("value", [0, 1, "no", "true", None], ids=repr)
def test_what_is_no_flag_is_named(value):
    with pytest.raises(ValueError, match="'a' needs to be true or false in 'Owner'"):
        check_flags("Owner", a=value)
