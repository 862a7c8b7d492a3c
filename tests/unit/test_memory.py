"""What is said of memory is of the process that was looked at."""

import os

from benchmarks import memory


def test_the_memory_of_a_process_is_looked_up_and_told_beside_that_of_before() -> None:
    assert 1 < memory.resident(os.getpid()) < 10_000

    [comparison] = memory.report({1_000: (100.0, 50.0), 10_000: (110.0, 500.0)}).comparisons

    assert comparison.ratio == 1.1
