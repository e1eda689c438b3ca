"""The command line: parsed and checked here, without importing anything heavy."""

from __future__ import annotations

import argparse
import ipaddress
import os
import secrets
from pathlib import Path

from analysis.demos import registry
from analysis.errors import ParameterError
from dashboard.settings import Settings

COMMANDS = ("serve", "demo")
DEVICES = ("auto", "cpu", "cuda", "mps")
MIN_TOKEN = 8  # characters
DESCRIPTION = "See inside PyTorch models, while they learn and when they fail."
EPILOG = """examples:
  python run.py                    the runs in ./runs and those of the demos
  python run.py serve ~/experiments --port 9000
  python run.py demo               record a small training and watch it
  python run.py serve ~/experiments --subject my_model.py
  python run.py serve --help       all options
  python run.py --host 0.0.0.0 --token auto
"""


def parse(arguments: list[str]) -> Settings:
    """Settings from the words after the program's name; ``serve`` may be left out.

    Raises:
        ParameterError: a value that cannot be used, with what to give instead.
        SystemExit: after --help or --version, or (code 2) for words that are not understood.
    """
    first = arguments[0] if arguments else ""
    if first not in (*COMMANDS, "-h", "--help", "--version"):
        arguments = ["serve", *arguments]
    options = _parser().parse_args(arguments)
    token = _token(options.token)
    _check_exposure(options.host, token)
    if not 0 <= options.port <= 65535:
        raise ParameterError(f"{options.port} is no port.", "Give one from 1024 to 65535, or 0 for any free one.")
    demo: str | None = options.name if options.command == "demo" else None
    if demo is not None:
        registry.check(registry.get(demo))
    workspace = _workspace(options.workspace)
    demos = workspace / "demos"
    subject = _subject(options.subject)
    if subject is None and demo is not None:
        subject = registry.subject_file(registry.get(demo))
    if options.worker_memory is not None and not 0 < options.worker_memory < 1e6:
        raise ParameterError(
            f"A worker cannot have {options.worker_memory:g} GiB of memory.", "Give a number of GiB, such as 8."
        )
    return Settings(
        roots=(*_roots(options.roots, bare=demo is None), demos),
        workspace=workspace,
        host=options.host,
        port=options.port,
        path_prefix=normalise_prefix(options.path_prefix),
        token=token,
        allowed_hosts=tuple(options.allow_host),
        demo=demo,
        subject=subject,
        live=options.live,
        device=options.device,
        trusted=tuple(_existing(path) for path in options.trust_pickle),
        worker_memory=options.worker_memory,
        parent=options.parent,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run.py", description=DESCRIPTION, epilog=EPILOG, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--version", action="version", version=f"Cutaway {version()}")
    commands = parser.add_subparsers(dest="command", metavar="{serve,demo}")
    shared = _shared()
    serve = commands.add_parser("serve", parents=[shared], help="show the runs in directories (the default)")
    serve.add_argument("roots", nargs="*", type=Path, metavar="RUNS_DIR", help="default: ./runs, if there is one")
    names = [offered.name for offered in registry.DEMOS]
    demo = commands.add_parser("demo", parents=[shared], help="record a demo and watch it")
    demo.add_argument("name", nargs="?", default=names[0], metavar="NAME", help=f"one of: {', '.join(names)}")
    demo.add_argument("roots", nargs="*", type=Path, metavar="RUNS_DIR", help="shown beside the demo")
    return parser


def _shared() -> argparse.ArgumentParser:
    shared = argparse.ArgumentParser(add_help=False)
    add = shared.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (default: this machine only)")
    add("--port", type=int, default=8050, help="default: 8050; 0 takes any free one")
    add("--path-prefix", default="/", metavar="/PATH/", help="path of the page behind a reverse proxy")
    add("--token", help="secret that every visitor needs; 'auto' makes one (default: $CUTAWAY_TOKEN, or none)")
    add("--workspace", type=Path, help="for caches, jobs and demos (default: $CUTAWAY_HOME, or ~/.cutaway)")
    add("--allow-host", action="append", default=[], metavar="NAME", help="another host name of this server")
    add("--subject", type=Path, metavar="FILE.py", help="file whose subject() returns a model and its data; it is run")
    add("--device", choices=DEVICES, default="auto", help="where the model computes (default: a GPU if there is one)")
    add(
        "--trust-pickle",
        type=Path,
        action="append",
        default=[],
        metavar="PATH",
        help="a checkpoint that may be unpickled, which can run any code in it; may be repeated",
    )
    add("--worker-memory", type=float, metavar="GIB", help="memory that one job may take (default: 80 %% of all)")
    # Of Subject.serve: the name of its objects, and the process that holds them.
    add("--live", default="", help=argparse.SUPPRESS)
    add("--parent", type=int, help=argparse.SUPPRESS)
    return shared


def normalise_prefix(prefix: str) -> str:
    """'cutaway' -> '/cutaway/', '' -> '/'.

    Raises:
        ParameterError: it holds anything but letters, digits and - _ . ~ between slashes.
    """
    parts = [part for part in prefix.split("/") if part]
    allowed = set("-_.~")
    for part in parts:
        if part in (".", "..") or not all(
            letter.isascii() and (letter.isalnum() or letter in allowed) for letter in part
        ):
            raise ParameterError(f"The path prefix {prefix!r} is no URL path.", "Write it like /cutaway/.")
    return "/" + "".join(f"{part}/" for part in parts)


def version() -> str:
    """The version of this copy."""
    import tomllib

    text = (Path(__file__).resolve().parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    return str(tomllib.loads(text)["project"]["version"])


def _roots(given: list[Path], *, bare: bool) -> tuple[Path, ...]:
    if not given:
        default = Path("runs")
        return (default.resolve(),) if bare and default.is_dir() else ()
    for path in given:
        if not path.is_dir():
            what = "is not a directory" if path.exists() else "does not exist"
            raise ParameterError(f"{path} {what}.", "Give the directory that holds your runs.")
    return tuple(dict.fromkeys(path.expanduser().resolve() for path in given))


def _subject(given: Path | None) -> Path | None:
    if given is None:
        return None
    if given.expanduser().suffix != ".py":
        raise ParameterError(f"{given} is no Python file.", "Give a .py file that holds a function subject().")
    return _existing(given)


def _existing(given: Path) -> Path:
    path = given.expanduser()
    if not path.is_file():
        what = "is not a file" if path.exists() else "does not exist"
        raise ParameterError(f"{given} {what}.", "Check the path.")
    return path.resolve()


def _workspace(given: Path | None) -> Path:
    path = given or Path(os.environ.get("CUTAWAY_HOME") or "~/.cutaway")
    return path.expanduser().resolve()


def _token(given: str | None) -> str | None:
    token = os.environ.get("CUTAWAY_TOKEN") if given is None else given
    if token == "auto":
        return secrets.token_urlsafe(24)
    if token is not None and len(token) < MIN_TOKEN:
        raise ParameterError(f"The token is shorter than {MIN_TOKEN} characters.", "Let --token auto make one.")
    if token is not None and not all(letter.isascii() and (letter.isalnum() or letter in "-_.~") for letter in token):
        raise ParameterError(
            "The token holds characters that a link cannot carry.", "Use letters, digits and - _ . ~ only."
        )
    return token


def _check_exposure(host: str, token: str | None) -> None:
    if token is None and not is_loopback(host):
        raise ParameterError(
            f"Listening on {host} lets other machines in, and no token is set.",
            "Add --token auto, or leave --host out.",
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
