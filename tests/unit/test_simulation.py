"""New seeds each time: whatever crashes, repeats or arrives out of order, every promise is kept."""

from collections import Counter
from random import SystemRandom

from simulation import reach
from simulation.seeds import play_all

SEEDS = 40


def test_new_seeds_keep_every_promise() -> None:
    first = SystemRandom().randrange(2**32) // 10 * 10

    outcomes = list(play_all(range(first, first + SEEDS), jobs=1))

    broken = [f"scripts/simulate --seed {each.seed}: {each.violations}" for each in outcomes if each.violations]
    assert broken == []
    met = sum((each.met for each in outcomes), Counter[str]())
    assert [what for what in reach.EVERYTHING if not met[what]] == [], f"none of the seeds from {first} on met them"
