"""The next batch is made while the last one is used."""

from concurrent.futures import ThreadPoolExecutor


class Ahead:
    """Keeps one result of a function that a thread computes.

    Whoever asks for things in a line gets the next one at once, or waits for what is left of its time.
    """

    def __init__(self):
        self._pool, self._last, self._next = None, (None, None), (None, None, None)

    def get(self, line, place, function):
        """`function(line, place)`; from the second place in a line on, that of the next place is begun.

        Args:
            line: A list; another one with the same contents is another line.
            place: Number of an item, from 0.
            function: Takes these two, and depends on nothing that changes between two calls.
        """
        # Read and written as a whole, as several threads may ask.
        next_line, next_place, future = self._next
        last_line, last_place = self._last
        result = future.result() if next_line is line and next_place == place else function(line, place)
        self._last, self._next = (line, place), (None, None, None)
        if last_line is line and last_place + 1 == place < len(line) - 1:
            self._pool = self._pool or ThreadPoolExecutor(max_workers=1, thread_name_prefix="next batch")
            self._next = line, place + 1, self._pool.submit(function, line, place + 1)
        return result

    def __reduce__(self):
        # A copy in another process begins without a thread.
        return Ahead, ()
