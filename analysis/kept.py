"""What is asked for again and again, kept in memory: the arrays used last, up to a number of bytes. No torch."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from numpy.typing import NDArray


class Kept:
    """Arrays by key, at most ``limit`` bytes of them. Threads may share it; what it returns cannot be written to."""

    def __init__(self, limit: int) -> None:
        self._limit, self._bytes = limit, 0
        self._arrays: OrderedDict[Any, NDArray[Any]] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Any, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The array of this key, made if it is not there."""
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
                return self._arrays[key]
        array = make()
        array.flags.writeable = False
        with self._lock:
            if array.nbytes <= self._limit and key not in self._arrays:
                self._arrays[key] = array
                self._bytes += array.nbytes
                while self._bytes > self._limit:
                    self._bytes -= self._arrays.popitem(last=False)[1].nbytes
        return array
