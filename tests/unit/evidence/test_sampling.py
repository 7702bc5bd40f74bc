"""Samples: anybody draws the same ones again."""

import hashlib

import pytest

from curfew.evidence.grants import ReviewedGrant
from curfew.evidence.sampling import draw
from tests.support.quarter import company
from tests.unit.evidence.telling import NOON, told


@pytest.fixture(scope="module")
def population() -> tuple[ReviewedGrant, ...]:
    """Return twenty grants."""
    people = company()
    return told([record for _ in range(20) for record in people.granted(NOON)]).population


def test_the_draw_can_be_repeated_from_what_the_report_says_of_it(population: tuple[ReviewedGrant, ...]) -> None:
    ids = [grant.activated.id for grant in population]
    by_hand = sorted(ids, key=lambda id_: hashlib.sha256(b"the seed\n" + id_.encode()).hexdigest())

    drawn = draw(population, seed="the seed", size=5)

    assert [sample.grant.activated.id for sample in drawn] == by_hand[:5]


def test_a_larger_sample_begins_with_the_smaller_one(population: tuple[ReviewedGrant, ...]) -> None:
    assert draw(population, seed="a", size=9)[:4] == draw(population, seed="a", size=4)


def test_another_seed_draws_others(population: tuple[ReviewedGrant, ...]) -> None:
    assert draw(population, seed="a", size=5) != draw(population, seed="b", size=5)


def test_the_order_of_the_population_does_not_matter(population: tuple[ReviewedGrant, ...]) -> None:
    assert draw(population, seed="a", size=5) == draw(reversed(population), seed="a", size=5)


def test_no_more_are_drawn_than_there_are(population: tuple[ReviewedGrant, ...]) -> None:
    assert len(draw(population, seed="a", size=99)) == len(population) == 20
