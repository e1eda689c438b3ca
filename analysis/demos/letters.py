"""Letters of Shakespeare's plays: an LSTM that says which comes next, a language model small enough to look into.

Six plays to learn from and a seventh held out, as Project Gutenberg has them and the package shakespeare (Open
Knowledge Foundation, MIT) carries them. The plays are in the public domain. What a character costs is given in bits:
the mean of -log2 of the probability that the network gave to the one that came; ``baselines`` is what to compare with.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from analysis.demos.packages import folder_of
from analysis.demos.plan import PlannedRun, Tick
from analysis.recording import Recorder

VERSION = 1  # raised when anything below changes what is recorded
DIRECTORY, TITLE = "letters-lstm", "LSTM on Shakespeare's letters"
PLAYS = (
    "as_you_like_it",
    "merchant_of_venice",
    "midsummer_nights_dream",
    "much_ado_about_nothing",
    "tempest",
    "two_gentlemen_of_verona",
)
HELD_OUT = "twelfth_night"
SHOWN = {" ": "␣", "\n": "⏎"}  # what cannot be seen
PADDING, UNKNOWN, FIRST = 0, 1, 2  # ids; those of characters follow
SHORTEST, LONGEST = 80, 120  # characters of a held-out passage
WINDOW, BATCH, LEARNING_RATE, SEED = 80, 64, 0.02, 0
VALIDATE_EVERY, RECORD_EVERY, PROBE = 80, 80, 128


def plan(steps: int = 800) -> list[PlannedRun]:
    """The run of this demo. The argument makes it shorter, for tests."""
    config: dict[str, Any] = {
        "demo": "letters",
        "demo_version": VERSION,
        "data": f"{len(PLAYS)} plays of Shakespeare, {len(text(PLAYS)):,} characters",
        "held out": f"Twelfth Night, {len(text((HELD_OUT,))):,} characters",
        "steps": steps,
        "batch": f"{BATCH} windows of {WINDOW} characters, from anywhere",
        "optimiser": f"Adam, learning rate {LEARNING_RATE}, falling",
        "seed": SEED,
        "to beat": ", ".join(f"{bits:.2f} bits per character {name}" for name, bits in baselines().items()),
    }
    return [PlannedRun(DIRECTORY, TITLE, config, steps, partial(train, config=config))]


@cache
def text(plays: tuple[str, ...]) -> str:
    """The plays one after the other, from each first act on: no blanks at ends of lines, one empty line at most."""
    found = []
    for name in plays:
        whole = (folder_of("shksprdata") / "texts" / f"{name}_gut.txt").read_text(encoding="ascii", errors="ignore")
        begins = re.search(r"(?im)^act (i|1)\b", whole)
        lines = [line.rstrip() for line in whole[begins.start() if begins else 0 :].splitlines()]
        found.append(re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip() + "\n\n")
    return "".join(found)


@cache
def alphabet() -> tuple[str, ...]:
    """The characters of the plays to learn from, by their numbers as classes."""
    return tuple(sorted(set(text(PLAYS))))


@cache
def _numbers() -> dict[str, int]:
    return {character: number for number, character in enumerate(alphabet(), start=FIRST)}


def names() -> list[str]:
    """The alphabet as it is shown: '␣' for a blank, '⏎' for the end of a line."""
    return [SHOWN.get(character, character) for character in alphabet()]


def encode(written: str) -> Tensor:
    """Ids of a text's characters, int64 (characters,); at least one. Unknown ones have an id of their own."""
    known = _numbers()
    return torch.tensor([known.get(character, UNKNOWN) for character in written] or [UNKNOWN])


def _counts() -> Tensor:
    """How often a character follows another in the plays to learn from, float64 (K, K), one added to each."""
    ids = encode(text(PLAYS)) - FIRST
    size = len(alphabet())
    return (ids[:-1] * size + ids[1:]).bincount(minlength=size * size).reshape(size, size).double() + 1


def baselines() -> dict[str, float]:
    """Bits per character of the held-out play for whom only counts are: of single characters, and of pairs."""
    counts, ids = _counts(), encode(text((HELD_OUT,))) - FIRST
    before, after = ids[:-1], ids[1:]
    known = (before >= 0) & (after >= 0)  # characters that the other plays do not hold are left out
    single = (counts.sum(0) / counts.sum()).log2()
    pairs = (counts / counts.sum(1, keepdim=True)).log2()
    return {
        "by frequency alone": -single[after[known]].mean().item(),
        "by the letter before": -pairs[before[known], after[known]].mean().item(),
    }


class Network(nn.Module):
    """Vectors of 32 numbers, an LSTM with 128 units, a score for each character that may come next."""

    def __init__(self, characters: int, units: int = 128) -> None:
        super().__init__()
        self.embedding = nn.Embedding(FIRST + characters, 32, padding_idx=PADDING)
        self.lstm = nn.LSTM(32, units, batch_first=True)
        self.fc = nn.Linear(units, characters)

    def forward(self, ids: Tensor, lengths: Tensor | None = None) -> Tensor:
        """What comes after the last character: ids (n, characters), filled up with PADDING -> (n, K)."""
        if lengths is None:
            lengths = (ids != PADDING).sum(1).clamp(min=1)
        packed = pack_padded_sequence(self.embedding(ids), lengths.cpu(), batch_first=True, enforce_sorted=False)
        last = self.lstm(packed)[1][0][-1]
        found: Tensor = self.fc(last)
        return found

    def every(self, ids: Tensor) -> Tensor:
        """What comes after each character: ids (n, characters), without padding -> (n, characters, K)."""
        found: Tensor = self.fc(self.lstm(self.embedding(ids))[0])
        return found


def start() -> Network:
    """The network as its training starts from it."""
    torch.manual_seed(SEED)
    return Network(len(alphabet()))


@cache
def passages() -> list[tuple[str, int, int]]:
    """Passages of the held-out play: (text, class of the character after it, where it starts), none over another.

    Each starts with a line, and ends anywhere.
    """
    whole, known = text((HELD_OUT,)), _numbers()
    generator = torch.Generator().manual_seed(SEED)
    found: list[tuple[str, int, int]] = []
    begins = 0
    while True:
        ends = begins + int(torch.randint(SHORTEST, LONGEST + 1, (1,), generator=generator))
        if ends >= len(whole):
            return found
        if whole[ends] in known:
            found.append((whole[begins:ends], known[whole[ends]] - FIRST, begins))
        begins = re.compile(r"\n+").search(whole, ends).end()  # type: ignore[union-attr]  # the text ends with one


def part(passage: str) -> str:
    """Where a passage ends: in a 'stage direction', the 'name' of who speaks, or a 'speech'."""
    if passage.rfind("[") > passage.rfind("]"):
        return "stage direction"
    *_, line = passage.rsplit("\n", 1)
    return "name" if line and line == line.upper() and re.search(r"[A-Z]{2}", line) else "speech"


@torch.no_grad()
def cost(model: Network) -> tuple[float, float]:
    """Over windows of the held-out play, from their start: nats per character, and the share guessed rightly."""
    ids = encode(text((HELD_OUT,)))
    ids = ids[ids != UNKNOWN]
    rows = (len(ids) - 1) // WINDOW
    before, after = ids[: rows * WINDOW].view(rows, WINDOW), ids[1 : rows * WINDOW + 1].view(rows, WINDOW) - FIRST
    answer = torch.cat([model.every(some) for some in before.split(256)]).flatten(0, 1)
    loss = nn.functional.cross_entropy(answer, after.flatten())
    return loss.item(), (answer.argmax(1) == after.flatten()).float().mean().item()


def learning(model: Network, steps: int) -> Iterator[tuple[int, float]]:
    """Train on windows from anywhere in the plays, which torch's seed decides. Yields after each step: its number, from
    1, and the loss before it, in nats per character.
    """
    ids = encode(text(PLAYS))
    optimiser = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    pace = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.05, total_iters=steps)
    for step in range(1, steps + 1):
        first = torch.randint(len(ids) - WINDOW, (BATCH, 1))
        windows = ids[first + torch.arange(WINDOW + 1)]
        answer = model.every(windows[:, :-1])
        loss = nn.functional.cross_entropy(answer.flatten(0, 1), windows[:, 1:].flatten() - FIRST)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        pace.step()
        yield step, loss.item()


def train(path: Path, tick: Tick, *, config: dict[str, Any]) -> None:
    """Train the network and record it at ``path``. tick: called after every step."""
    model, steps = start(), config["steps"]
    generator = torch.Generator().manual_seed(SEED)
    some = torch.randperm(len(passages()), generator=generator)[:PROBE].tolist()
    ids = nn.utils.rnn.pad_sequence([encode(passages()[n][0]) for n in some], batch_first=True, padding_value=PADDING)
    probe = (ids, torch.tensor([passages()[n][1] for n in some]))
    with Recorder(path, config=config, name=TITLE, every=RECORD_EVERY, budget=0.15) as recorder:
        recorder.watch(model, probe=probe, class_names=names())
        recorder.checkpoint(model, step=0)
        for step, loss in learning(model, steps):
            recorder.log({"train/loss": loss}, step=step)
            if step % VALIDATE_EVERY == 0 or step == steps:
                held_loss, accuracy = cost(model)
                values = {"loss": held_loss, "accuracy": accuracy, "bits per character": held_loss / math.log(2)}
                recorder.log({f"validation/{name}": value for name, value in values.items()}, step=step)
            if step % (5 * VALIDATE_EVERY) == 0 or step == steps:
                recorder.checkpoint(model, step=step)
            tick(step)
