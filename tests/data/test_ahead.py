import pickle
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from keras_ff.data.ahead import Ahead


def test_the_next_in_a_line_is_made_while_the_last_is_used():
    ahead, line, begun = Ahead(), list("abcd"), threading.Event()

    def make(line, place):
        if place == 2:
            begun.set()
        return line[place].upper(), threading.current_thread()

    assert ahead.get(line, 0, make)[0] == "A" and not begun.is_set()
    assert ahead.get(line, 1, make)[0] == "B"
    assert begun.wait(10.0)
    found, thread = ahead.get(line, 2, make)
    assert found == "C" and thread is not threading.current_thread()


def test_any_order_and_another_line_give_what_was_asked_for():
    ahead, line, other = Ahead(), list("abcd"), list("wxyz")

    def make(line, place):
        return line[place]

    asked = [(line, 0), (line, 1), (line, 3), (line, 2), (line, 3), (other, 0), (other, 1), (line, 2), (other, 2), (other, 3)]
    assert [ahead.get(*item, make) for item in asked] == [line[place] for line, place in asked]


def test_an_error_comes_where_it_is_asked_for():
    ahead, line = Ahead(), [1, 1, 0]
    inverse = lambda line, place: 1 / line[place]  # noqa: E731
    assert ahead.get(line, 0, inverse) == ahead.get(line, 1, inverse) == 1
    with pytest.raises(ZeroDivisionError):
        ahead.get(line, 2, inverse)
    assert ahead.get(line, 0, inverse) == 1


def test_a_copy_for_another_process_begins_anew():
    ahead, line = Ahead(), [1, 2, 3]
    for place in range(2):
        ahead.get(line, place, lambda line, place: line[place])
    assert pickle.loads(pickle.dumps(ahead)).get(line, 2, lambda line, place: -line[place]) == -3


def test_several_threads_get_what_they_asked_for():
    ahead, line = Ahead(), list(range(200))

    def walk(first):
        return [ahead.get(line, place, lambda line, place: -line[place]) for place in range(first, 200)]

    with ThreadPoolExecutor(4) as pool:
        for first, found in zip((0, 1, 50, 150), pool.map(walk, (0, 1, 50, 150))):
            assert found == [-place for place in line[first:]]


def test_a_fork_begins_anew(monkeypatch):
    ahead, line = Ahead(), [1, 2, 3]
    for place in range(2):
        ahead.get(line, place, lambda line, place: line[place])
    monkeypatch.setattr("keras_ff.data.ahead.os.getpid", lambda: -1)
    assert ahead.get(line, 2, lambda line, place: -line[place]) == -3
