"""What one server was started with. Immutable, so that every thread and process sees the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.errors import ParameterError


@dataclass(frozen=True)
class Settings:
    """The command line, checked.

    roots: directories that runs are read from, never written to. workspace: the only place written to.
    host, port: address listened on; port 0 means any free one. path_prefix: URL path of the page behind a reverse
    proxy, starts and ends with '/'. token: secret that every request must show, None for none. allowed_hosts: names
    accepted in the Host header besides the loopback ones and ``host``. demo: the demo to run at the start.

    Raises:
        ParameterError: the token is empty, or the prefix is not of the form '/a/b/'.
    """

    roots: tuple[Path, ...]
    workspace: Path
    host: str = "127.0.0.1"
    port: int = 8050
    path_prefix: str = "/"
    token: str | None = None
    allowed_hosts: tuple[str, ...] = ()
    demo: str | None = None

    def __post_init__(self) -> None:
        # An empty token would look like protection and be none.
        if self.token is not None and not self.token:
            raise ParameterError("The token is empty.", "Give one with --token, or let --token auto make one.")
        if not (self.path_prefix.startswith("/") and self.path_prefix.endswith("/")):
            raise ParameterError(
                f"The path prefix {self.path_prefix!r} does not start and end with '/'.", "Write it like /cutaway/."
            )

    @property
    def cache_dir(self) -> Path:
        """Results that can be computed again; safe to delete."""
        return self.workspace / "cache"

    @property
    def jobs_dir(self) -> Path:
        """Background jobs, one directory each."""
        return self.workspace / "jobs"

    @property
    def demos_dir(self) -> Path:
        """Runs recorded by the demos."""
        return self.workspace / "demos"
