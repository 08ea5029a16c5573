"""Which kinds of tasks prepared folders hold: by the type that their ``task.json`` states."""

from __future__ import annotations

from sigraph.tasks.base import BaseTask
from sigraph.tasks.contacts import ContactTask
from sigraph.tasks.label_values import TYPES
from sigraph.tasks.links import LinkTask
from sigraph.tasks.pairs import PairTask
from sigraph.tasks.parts import PartTask
from sigraph.tasks.retrieval import RetrievalTask
from sigraph.tasks.task import Task

_OWN = (PairTask, LinkTask, PartTask, ContactTask, RetrievalTask)
_KINDS: dict[str, type[BaseTask]] = {kind.item: kind for kind in _OWN}


def as_kept(kind: str) -> type[BaseTask]:
    """The class of a task whose ``type`` is ``kind``; types of labels are those of tasks over samples.

    Raises:
        ValueError: There is none.
    """
    if kind in TYPES or kind == Task.item:
        return Task
    if kind not in _KINDS:
        raise ValueError(f"'type' needs to be one of {', '.join((*TYPES, *_KINDS))} (got {kind!r})")
    return _KINDS[kind]
