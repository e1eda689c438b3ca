"""What one server was started with. Immutable, so that every thread and process sees the same."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from analysis.errors import ParameterError
from analysis.jobs import directory_for
from analysis.jobs.kinds import MODEL


@dataclass(frozen=True)
class Settings:
    """The command line, checked.

    roots: directories that runs are read from, never written to. workspace: the only place written to.
    host, port: address listened on; port 0 means any free one. path_prefix: URL path of the page behind a reverse
    proxy, starts and ends with '/'. token: secret that every request must show, None for none. allowed_hosts: names
    accepted in the Host header besides the loopback ones and ``host``. demo: the demo to run at the start.

    subject: the file whose ``subject()`` gives the model and its data, None for none; only the worker that holds the
    model runs it. live: name of a subject whose objects live in the process that started this one (``Subject.serve``),
    which then answers the questions; '' for none. device: 'auto', 'cpu', 'cuda' or 'mps'. trusted: checkpoints that may
    be unpickled. worker_memory: GiB that one job may take, None for a share of the machine's. parent: the process to
    end with, None for none.

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
    subject: Path | None = None
    live: str = ""
    device: str = "auto"
    trusted: tuple[Path, ...] = ()
    worker_memory: float | None = None
    parent: int | None = None

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
        return directory_for(self.workspace, self.subject_name)

    @property
    def demos_dir(self) -> Path:
        """Runs recorded by the demos."""
        return self.workspace / "demos"

    @property
    def answers_dir(self) -> Path:
        """Answers to questions about the subject."""
        return self.cache_dir / "answers"

    @property
    def extractions_dir(self) -> Path:
        """Activations of the subject's layers, one directory for each extraction."""
        return self.cache_dir / "extractions"

    @property
    def subject_name(self) -> str:
        """What the server calls its subject, '' if it has none."""
        return str(self.subject) if self.subject else self.live

    def for_jobs(self) -> list[tuple[str, str]]:
        """What the worker that holds the model is told: names and values. It comes from nowhere else."""
        trusted = [("trusted", str(path)) for path in self.trusted]
        places = [("cache", str(self.cache_dir)), ("demos", str(self.demos_dir))]
        told = [("subject", self.subject_name), ("device", self.device), *places, *trusted]
        return told if self.subject_name else []

    @property
    def external_queues(self) -> tuple[str, ...]:
        """Queues of jobs whose host is not the server's own."""
        return (MODEL,) if self.live else ()
