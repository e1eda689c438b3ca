"""The subject of the letters demo: its network, and passages of the play that it does not train on.

It is also an example of a language model: the class of a passage is the character that comes after it.
"""

from __future__ import annotations

from typing import Any

from torch.utils.data import Dataset

from analysis import Subject
from analysis.demos import letters, trained


class Passages(Dataset[dict[str, Any]]):
    """Passages of Twelfth Night: {'ids': int64 (characters,), 'label': what comes next, 'text': as it is written}."""

    def __len__(self) -> int:
        return len(letters.passages())

    def __getitem__(self, index: int) -> dict[str, Any]:
        written, following, _ = letters.passages()[index]
        return {"ids": letters.encode(written), "label": following, "text": written}


def subject() -> Subject:
    """What ``run.py serve --subject`` calls. Until the demo has been trained, the weights are those it starts from."""
    names, found = letters.names(), letters.passages()
    made = Subject(
        letters.start(),
        Passages(),
        name="LSTM on Shakespeare's letters",
        class_names=names,
        decode=["<padding>", "<unknown>", *names],
        encode=letters.encode,
        metadata={
            "ends in": [letters.part(written) for written, *_ in found],
            "starts at (character)": [begins for *_, begins in found],
        },
    )
    [planned] = letters.plan()
    return trained.put_into(made, planned)
