"""Items in several processes: all results, and who was killed is known."""

import os
import time

import pytest

from sigraph.machines.pool import Killed, in_processes

pytestmark = pytest.mark.usefixtures("warm_processes")


def square(number):
    return number * number


def deadly(number):
    if number == 3:
        time.sleep(0.2)  # others are at work meanwhile
        os._exit(9)
    time.sleep(0.05)
    return number


def refuses(number):
    raise ValueError(f"no {number}")


def test_every_item_has_its_result():
    assert sorted(in_processes(square, range(5), 2)) == [(i, i * i) for i in range(5)]


def test_one_that_is_killed_takes_no_other_with_it():
    found = dict(in_processes(deadly, range(6), 2))
    assert found.pop(3) == Killed(9) and found == {i: i for i in (0, 1, 2, 4, 5)}


def test_how_a_process_ended_is_said():
    assert Killed(7).reason == "the process ended itself with exit code 7"
    assert "by signal 9, as the system does when memory is short" in Killed(-9).reason
    assert Killed(-11).reason == "the process was killed by signal 11" and "memory" in Killed().reason


def test_an_error_comes_through():
    with pytest.raises(ValueError, match="no 0"):
        list(in_processes(refuses, [0], 2))
