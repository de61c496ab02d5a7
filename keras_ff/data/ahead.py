"""Prefetching of batches: a thread makes the next one while the last one is used."""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class Ahead:
    """Prefetcher that lets a thread compute the next result of a function while the last one is used.

    A caller that takes the items of a list one after the other gets each result at once, or waits until the thread has
    finished it. Several threads may ask. Copies in other processes, forks too, begin without a thread.

    Example:
        >>> ahead, words = Ahead(), ["one", "two", "three"]
        >>> [ahead.get(words, index, lambda line, index: line[index].upper()) for index in range(3)]
        ['ONE', 'TWO', 'THREE']
    """

    def __init__(self):
        self._process, self._pool, self._last, self._next = os.getpid(), None, (None, None), (None, None, None)

    def get(self, line: Sequence, place: int, function: Callable[[Sequence, int], Any]) -> Any:
        """Return `function(line, place)`; from the second item of a list on, begin to compute the result of the next item.

        Args:
            line: List of items. It is recognized by its identity: another list with the same contents is another one.
            place: Index of an item, from 0.
            function: Function of the list and the index, which depends on nothing that changes between two calls.

        Returns:
            What the function returned.
        """
        if self._process != os.getpid():
            # A fork has no thread, and would wait for its result for ever.
            self.__init__()
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
