"""The next batch is made while the last one is used."""

from concurrent.futures import ThreadPoolExecutor


class Ahead:
    """Keeps one result of a function that a thread computes.

    Whoever asks for things in a line gets the next one at once, or waits for what is left of its time.
    """

    def __init__(self):
        self._pool, self._last, self._next, self._future = None, None, None, None

    def get(self, line, place, function):
        """`function(line, place)`; from the second place in a line on, that of the next place is begun.

        Args:
            line: A list; another one with the same contents is another line.
            place: Number of an item, from 0.
            function: Takes these two, and depends on nothing that changes between two calls.
        """
        result = self._future.result() if _same(self._next, (line, place)) else function(line, place)
        in_line = _same(self._last, (line, place - 1))
        self._last, self._next, self._future = (line, place), None, None
        if in_line and place + 1 < len(line):
            self._pool = self._pool or ThreadPoolExecutor(max_workers=1, thread_name_prefix="next batch")
            self._next, self._future = (line, place + 1), self._pool.submit(function, line, place + 1)
        return result

    def __reduce__(self):
        # A copy in another process begins without a thread.
        return Ahead, ()


def _same(one, other):
    return one is not None and one[0] is other[0] and one[1] == other[1]
