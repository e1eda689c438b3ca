"""Downloads: every record of a metric, and the figures behind the layer panels, as CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import flask

from analysis.errors import NotFound, ParameterError
from analysis.store.curves import defused, export_csv
from analysis.store.reader import Run
from dashboard import services
from dashboard.selection import Selection


def install(server: flask.Flask, prefix: str) -> None:
    """Add the routes under the app's prefix; the gate guards them like all others."""
    routes: tuple[tuple[str, Callable[[], flask.Response]], ...] = (
        ("scalars.csv", scalars),
        ("histograms.csv", histograms),
        ("filters.csv", filters),
    )
    for name, answer in routes:
        server.add_url_rule(f"{prefix}export/{name}", f"export_{name}", answer, methods=["GET"])


def safe_cell(value: Any) -> Any:
    """Text that a spreadsheet would take for a formula gets an apostrophe; numbers stay."""
    return defused(value) if isinstance(value, str) else value


def _selection() -> Selection:
    return Selection.parse(flask.request.query_string.decode("utf-8", "replace"))


def _run(selection: Selection) -> Run:
    if not selection.runs:
        raise ParameterError("No run is named.", "Add runs=ID to the address.")
    return services.open_runs(selection.runs[:1])[0]


def download(rows: Iterable[str] | Iterable[bytes], name: str) -> flask.Response:
    """A CSV file of that name, sent as it is made."""
    response = flask.Response(rows, mimetype="text/csv")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def lines(head: list[str], rows: Iterable[list[Any]]) -> Iterator[str]:
    """Lines of CSV; text that a spreadsheet would run is defused."""
    for row in (head, *rows):
        buffer = io.StringIO()
        csv.writer(buffer).writerow([safe_cell(cell) for cell in row])
        yield buffer.getvalue()


def scalars() -> flask.Response:
    """Every record of the given tags of the given runs, in full: run, tag, step, wall_time, value, segment."""
    selection = _selection()
    if not selection.tag:
        raise ParameterError("No tag is named.", "Add tag=NAME to the address.")
    runs = services.open_runs(selection.runs)
    wanted = [(run, tag) for run in runs for tag in selection.tag if tag in run.tags()]
    if not wanted:
        raise NotFound("None of these runs has such a tag.", "See the metrics offered by the Training view.")
    return download(_scalar_lines(wanted), "scalars.csv")


def _scalar_lines(wanted: list[tuple[Run, str]]) -> Iterator[bytes]:
    for index, (run, tag) in enumerate(wanted):
        buffer = io.StringIO()
        csv.writer(buffer).writerow([safe_cell(run.info.name), safe_cell(tag)])
        start = buffer.getvalue().rstrip("\r\n").encode()
        header = True
        pending = b""
        for chunk in export_csv(run, tag):
            pending += chunk
            *parts, pending = pending.split(b"\n")
            out = []
            for line in parts:
                if header:
                    header = False
                    if index == 0:
                        out.append(b"run,tag," + line)
                    continue
                out.append(start + b"," + line)
            if out:
                yield b"\n".join(out) + b"\n"


def histograms() -> flask.Response:
    """Perplexity histograms of all layers at a step."""
    selection = _selection()
    run = _run(selection)
    rows = []
    for meta in run.layers():
        try:
            record = run.layer_record(meta.name, selection.step)
        except NotFound:
            continue
        edges = meta.edges()
        if len(record.histogram) != meta.bins:  # recorded before a restart with other settings
            continue
        rows += [
            [meta.name, record.step, float(edges[i]), float(edges[i + 1]), int(count), record.patches]
            for i, count in enumerate(record.histogram)
        ]
    head = ["layer", "step", "perplexity_from", "perplexity_to", "patches", "patches_sampled"]
    return download(lines(head, rows), "histograms.csv")


def filters() -> flask.Response:
    """The figures of every filter of a layer at a step."""
    selection = _selection()
    run = _run(selection)
    if selection.layer is None:
        raise ParameterError("No layer is named.", "Add layer=NAME to the address.")
    record = run.layer_record(selection.layer, selection.step)
    head = ["layer", "step", "filter", "maximum", "mean", "frequency", "active_share", "peak", "stale_steps"]
    rows = [
        [
            selection.layer,
            record.step,
            index,
            float(record.maximum[index]),
            float(record.mean[index]),
            float(record.frequency[index]),
            float(record.active_share[index]),
            float(record.peak[index]),
            int(record.stale_steps[index]),
        ]
        for index in range(len(record.maximum))
    ]
    return download(lines(head, rows), "filters.csv")
