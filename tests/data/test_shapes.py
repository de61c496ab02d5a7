"""Padded shapes that grow."""

from keras_ff.data.shapes import Shapes


def test_the_first_shape_fits_and_the_next_have_room():
    shapes = Shapes()
    assert shapes.fit(64, 27) == (64, 28)
    assert shapes.fit(64, 28) == (64, 28)
    # Neighbors beyond the room come with a quarter more of it; atoms stay.
    assert shapes.fit(64, 29) == (64, 36)
    # Atoms that come one by one double the room.
    assert shapes.fit(65, 27)[0] == 132
    assert shapes.fit(100, 20) == (132, 36)


def test_a_much_smaller_structure_has_a_shape_of_its_own():
    shapes = Shapes()
    shapes.fit(1000, 40)
    assert shapes.fit(8, 40)[0] == 8
    assert shapes.fit(900, 30)[0] == 1008
    assert len(shapes.known) == 2


def test_a_growing_number_of_atoms_and_neighbors_meets_few_shapes():
    shapes = Shapes()
    for count in range(1, 5000):
        atoms, neighbors = shapes.fit(count, min(count - 1, 60))
        assert atoms >= count and neighbors >= min(count - 1, 60)
    assert len(shapes.known) <= 18


def test_exactly_means_no_padding_atoms():
    shapes = Shapes()
    assert shapes.fit(33, 5, exactly=True) == (33, 8)
    assert shapes.fit(31, 5, exactly=True) == (31, 8)
    assert shapes.fit(33, 9, exactly=True) == (33, 16)
