import numpy as np
import pytest

from keras_ff.data.buckets import Buckets, choose_buckets, given_buckets, rounded


def sizes(count=200, seed=0):
    generator = np.random.default_rng(seed)
    return generator.integers(1, 100, count), generator.integers(5, 60, count)


def padded_pairs(buckets):
    return sum(count * buckets.batch_size * a * k for count, (a, k) in zip(buckets.counts, buckets.shapes))


def test_rounding_costs_little():
    for size in range(1, 5000):
        assert size <= rounded(size) <= size * 33 / 32


@pytest.mark.parametrize("batch_size", [1, 8])
@pytest.mark.parametrize("max_shapes", [1, 2, 4])
def test_every_structure_is_in_one_bucket_where_it_fits(batch_size, max_shapes):
    atoms, neighbors = sizes()
    buckets = choose_buckets(atoms, neighbors, batch_size, max_shapes)
    assert 1 <= len(buckets.shapes) <= max_shapes
    assert sorted(np.concatenate(buckets.indices)) == list(range(len(atoms)))
    for (a, k), members in zip(buckets.shapes, buckets.indices):
        assert atoms[members].max() <= a and neighbors[members].max() <= k


def test_more_shapes_pad_less():
    atoms, neighbors = sizes()
    pairs = [padded_pairs(choose_buckets(atoms, neighbors, 8, n)) for n in (1, 2, 4)]
    assert pairs[0] > pairs[1] > pairs[2]


def test_two_sizes_are_two_shapes_and_equal_sizes_one():
    two = choose_buckets([8] * 16 + [64] * 16, [30] * 32, 8)
    assert two.shapes == [(8, 30), (64, 30)] and two.counts == [2, 2] and len(two) == 4
    assert choose_buckets([64] * 20, [30] * 20, 8).shapes == [(64, 30)]


def test_a_lone_small_structure_does_not_get_a_batch_of_its_own():
    buckets = choose_buckets([60] + [64] * 15, [30] * 16, 8)
    assert buckets.shapes == [(64, 30)] and buckets.counts == [2]


def test_a_large_data_set_is_cut_in_little_time():
    atoms, neighbors = np.random.default_rng(0).integers(1, 3000, (2, 20000))
    assert len(choose_buckets(atoms, neighbors, 8).shapes) <= 4


@pytest.mark.parametrize("promote", [[False, False], [True, False]])
def test_an_epoch_holds_every_structure_once(promote):
    buckets = Buckets([(8, 10), (16, 20)], [np.arange(11), np.arange(11, 18)], promote, 4)
    for epoch in range(3):
        batches = buckets.epoch(seed=1, epoch=epoch)
        assert len(batches) == len(buckets) == (5 if promote == [False, False] else 5)
        members = np.concatenate([batch for _, batch in batches])
        assert sorted(members[members >= 0]) == list(range(18))
        assert all(batch.shape == (4,) for _, batch in batches)
        for bucket, batch in batches:
            assert bucket == 1 or batch.max() < 11


def test_the_order_depends_on_seed_and_epoch_only():
    buckets = choose_buckets(*sizes(), 8)

    def order(*args):
        return [(bucket, batch.tolist()) for bucket, batch in buckets.epoch(*args)]

    assert order(0, 5) == order(0, 5)
    assert order(0, 5) != order(0, 6) and order(0, 5) != order(1, 5)
    assert order(0, 5, False) == order(3, 7, False)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize(
    "shapes", [[(8, 10), (8, 20), (16, 10)], [(8, 10), (16, 10)], [(8, 10), (8, 20)], [(4, 9), (5, 9), (5, 8), (6, 9)]]
)
def test_the_first_two_batches_differ_on_every_axis_that_varies(shapes, shuffle):
    buckets = Buckets(shapes, [np.arange(6) + 6 * n for n in range(len(shapes))], [False] * len(shapes), 2)
    for epoch in range(20):
        (first, _), (second, _) = buckets.epoch(0, epoch, shuffle)[:2]
        for axis in range(2):
            varies = len({shape[axis] for shape in shapes}) > 1
            assert (shapes[first][axis] != shapes[second][axis]) == varies


def test_given_shapes_are_used_and_too_small_ones_are_an_error():
    buckets = given_buckets([8, 16, 3], [10, 12, 4], 2, [(2, 16, 12), (2, 8, 10), (2, 99, 99)])
    assert buckets.shapes == [(8, 10), (16, 12)] and [members.tolist() for members in buckets.indices] == [[0, 2], [1]]
    with pytest.raises(
        ValueError, match=r"Structure 1 has 20 atoms with up to 12 neighbors.*Raise one of them to at least \(20, 12\)"
    ):
        given_buckets([8, 20], [10, 12], 2, [(16, 12)])
