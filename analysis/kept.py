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
        self._making: dict[Any, threading.Lock] = {}

    def get(self, key: Any, make: Callable[[], NDArray[Any]]) -> NDArray[Any]:
        """The array of this key, made if it is not there; who asks while it is made waits for it.

        A page's panels ask all at once: each reading the same thousand files would hold up all others.
        """
        found = self._there(key)
        if found is not None:
            return found
        with self._lock:
            gate = self._making.setdefault(key, threading.Lock())
        with gate:
            found = self._there(key)
            if found is not None:
                return found
            try:
                array = make()
                array.flags.writeable = False
                self._keep(key, array)
            finally:
                with self._lock:
                    self._making.pop(key, None)
        return array

    def _there(self, key: Any) -> NDArray[Any] | None:
        with self._lock:
            if key in self._arrays:
                self._arrays.move_to_end(key)
            return self._arrays.get(key)

    def _keep(self, key: Any, array: NDArray[Any]) -> None:
        with self._lock:
            if array.nbytes <= self._limit and key not in self._arrays:
                self._arrays[key] = array
                self._bytes += array.nbytes
                while self._bytes > self._limit:
                    self._bytes -= self._arrays.popitem(last=False)[1].nbytes
