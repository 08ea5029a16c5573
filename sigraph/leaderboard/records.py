"""Results as they are kept: typed, with the number of their format and a sum of their own.

:class:`Record` is a run (``results.json``), :class:`PretrainInfo` its pre-training (``pretrain.json``),
:class:`TaskResult` a fine-tuning, :class:`GridSearch` the search over a grid, :class:`DrawnSearch` that of settings
drawn within a space, :class:`Visible` what shaped an arm. They are the only way in which results are read and written.
What an older file does not say is None here, never guessed, and stays unsaid when it is written again; what this
sigraph does not know is carried along in ``more``. Imports no torch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from sigraph.leaderboard.kept import Kept, NewerFormatError, newer
from sigraph.leaderboard.record_fields import (
    FORMAT,
    GRID,
    OK,
    PRETRAIN,
    SCORED,
    SEARCH,
    TASK,
    UNREADABLE,
    Check,
    misfit,
)
from sigraph.leaderboard.visible import HIDDEN, Visible

__all__ = [
    "FORMAT",
    "DrawnSearch",
    "GridSearch",
    "NewerFormatError",
    "PretrainInfo",
    "Record",
    "TaskResult",
    "Visible",
    "newer",
]


@dataclass(frozen=True, kw_only=True)
class PretrainInfo(Kept):
    """A pre-training: what it was made from, and its figures. Fields as in ``pretrain.json``."""

    num_parameters: Mapping[str, int]  # encoder, other
    seconds: float
    format: int | None = None
    version: str | None = None
    commit: str | None = None
    sources: Mapping[str, str] | None = None
    data: str | None = None
    settings: str | None = None
    seed: int | None = None
    dataset: Any = None
    graph: Any = None
    transductive: bool | None = None
    num_steps: int | None = None
    num_nodes: int | None = None
    num_edges: int | None = None
    num_edges_held_out: int | None = None
    features: Sequence[str] | None = None
    reader: Mapping[str, Any] | None = None
    reader_sha256: str | None = None
    encoder: Mapping[str, Any] | None = None
    encoder_sha256: str | None = None
    validation: Sequence[Mapping[str, Any]] | None = None
    certificate: Mapping[str, Any] | None = None

    _check: ClassVar[Check] = PRETRAIN


@dataclass(frozen=True, kw_only=True)
class TaskResult(Kept):
    """A task's scores, by an encoder and a head; as it is kept by itself, or in a run.

    Args:
        metric: The first of the task's; ``valid`` and ``test`` are of it.
        scores: Metric -> ``{"valid": x, "test": y}``, of all of them.
        repeats: Of several fine-tunings, ``valid``, ``test`` and ``best_epoch`` of each; the other scores are means.
        primary: Whether the grid chooses by it; None where it is kept by itself.
        predictions: ``file`` and ``sha256`` of the test predictions; None: none were kept.
        constant: The class that every test sample was predicted to be of; None: there are several, or no classes.
        trained_head: ``file`` and ``sha256`` of the head; None: none was kept.
        model: ``file`` and ``sha256`` of the encoder that was fine-tuned with it, and ``kept``: ``all`` or ``best``,
            in which case the file is there for the seed that validation prefers alone.
        test_hidden, test_seen: Of the test samples that pre-training did not see, and of those that it saw, where a
            share of them is hidden.
    """

    dataset: str
    task: str
    head: str
    metric: str
    valid: float
    test: float
    num_parameters: int
    seconds: float
    primary: bool | None = None
    format: int | None = None
    version: str | None = None
    commit: str | None = None
    sources: Mapping[str, str] | None = None
    data: str | None = None
    pretrain_data: str | None = None
    settings: str | None = None
    seed: int | None = None
    encoder_sha256: str | None = None
    greater_is_better: bool | None = None
    best_epoch: int | None = None
    leakage: Mapping[str, Any] | None = None
    scores: Mapping[str, Mapping[str, float | None]] | None = None
    repeats: Sequence[Mapping[str, Any]] | None = None
    predictions: Mapping[str, str] | None = None
    constant: str | None = None
    trained_head: Mapping[str, str] | None = None
    model: Mapping[str, str] | None = None
    test_hidden: float | None = None
    test_seen: float | None = None

    _check: ClassVar[Check] = SCORED


@dataclass(frozen=True, kw_only=True)
class GridSearch(Kept):
    """What a grid tried and chose; fields as in ``_grid/<arm>-<hash>.json``."""

    chosen: Mapping[str, Any]
    tried: Sequence[Mapping[str, Any]]
    format: int | None = None
    version: str | None = None
    commit: str | None = None
    sources: Mapping[str, str] | None = None
    data: str | None = None
    task_data: str | None = None
    settings: str | None = None
    task: str | None = None
    head: str | None = None
    metric: str | None = None
    seed: int | None = None

    _check: ClassVar[Check] = GRID


@dataclass(frozen=True, kw_only=True)
class DrawnSearch(Kept):
    """What ``sigraph run --search`` drew for an arm, and chose; fields as in ``_search/<arm>-<hash>.json``.

    Args:
        chosen: Dotted key -> value, of the trial that validation prefers.
        tried: The trials in their order: ``settings``, ``valid`` (mean over seeds, and over redrawn splits; None: it
            failed, and ``reason`` says why), ``scores`` (by seed), ``spread`` (unbiased standard deviation over seeds),
            ``spread_redraws`` (over redrawn splits, the mean over seeds), ``seconds`` (what it takes by itself).
        space: Dotted key -> what was drawn from, as the experiment states it; keys that are open for the arm.
        seeds: Of the trials; no seed of the table.
        redraws: Redrawn splits; 0: the given one.
        num_asked: Trials that were asked for; fewer are there while the search goes on, or where there are no more.
    """

    chosen: Mapping[str, Any]
    tried: Sequence[Mapping[str, Any]]
    space: Mapping[str, Any]
    seeds: Sequence[int]
    experiment: str | None = None
    arm: str | None = None
    redraws: int | None = None
    num_asked: int | None = None
    format: int | None = None
    version: str | None = None
    commit: str | None = None
    sources: Mapping[str, str] | None = None
    data: str | None = None
    task_data: str | None = None
    settings: str | None = None
    task: str | None = None
    head: str | None = None
    metric: str | None = None
    greater_is_better: bool | None = None

    _check: ClassVar[Check] = SEARCH


class _RunTask(TaskResult):
    """As it stands in a run, where ``primary`` is said."""

    _check: ClassVar[Check] = TASK


@dataclass(frozen=True, kw_only=True)
class Record(Kept):
    """A run: one arm, one seed; fields as in ``results.json``.

    One that could not be read is of status ``unreadable`` under the names that are known of it.

    Args:
        hash: Of the arm's settings.
        kind: What the arm does: ``pretrained``, ``closed-form`` or ``reference``; None: a record of before there were
            other kinds, which does not say.
        visible: What shaped it; None: it does not say.
        baseline: The arm that the experiment names as baseline.
        baseline_arm: The arm that does the same as the baseline and sees what this one sees; None: the baseline.
        baseline_hash, baseline_sources: Settings and own parts of ``baseline_arm``.
        baseline_of: In an arm that was added: the baseline that it stands for where other samples are visible.
        transductive: Of records of before ``visible``.
        command: By which it was made on the command line; None: otherwise, or it does not say.
        written: When its file was written, in seconds since 1970; added when it is read.
        folder: Where it was read, and its predictions are; added when it is read.
    """

    experiment: str | None = None
    arm: str | None = None
    seed: int | None = None
    hash: str | None = None
    format: int | None = None
    kind: str | None = None
    arms: Sequence[str] | None = None
    baseline: str | None = None
    baseline_arm: str | None = None
    baseline_hash: str | None = None
    baseline_sources: Mapping[str, str] | None = None
    baseline_of: str | None = None
    grid: GridSearch | None = None
    search: DrawnSearch | None = None
    status: str
    reason: str | None = None
    traceback: str | None = None
    tasks: Sequence[TaskResult]
    visible: Visible | None = None
    transductive: bool | None = None
    pretrain: PretrainInfo | None = None
    data: str | None = None
    commit: str | None = None
    sources: Mapping[str, str] | None = None
    versions: Mapping[str, str] | None = None
    device: str | None = None
    command: str | None = None
    peak_memory_mb: float | None = None
    wall_seconds: float | None = None
    written: float | None = None
    folder: str | None = None

    _parts: ClassVar[Mapping[str, type[Kept]]] = {
        "tasks": _RunTask,
        "pretrain": PretrainInfo,
        "grid": GridSearch,
        "search": DrawnSearch,
        "visible": Visible,
    }

    @classmethod
    def wrong(cls, plain: Any) -> str | None:
        return newer(plain) or misfit(plain)

    @classmethod
    def unreadable(cls, reason: str, **names: Any) -> Record:
        """One that stands for a file, or a value, that is no record.

        Args:
            reason: Why, in words.
            names: ``experiment``, ``arm``, ``hash`` and ``seed``, as far as they are known.
        """
        known = ("experiment", "arm", "hash", "seed")
        plain = {**{name: names.get(name) for name in known}, "status": UNREADABLE, "reason": reason}
        return cls.of_checked({**plain, "tasks": [], "written": 0.0})

    @property
    def finished(self) -> bool:
        """Whether the run ended well."""
        return self.status == OK

    @property
    def is_transductive(self) -> bool | None:
        """Whether nothing was hidden in pre-training; None where the record does not say, or nothing was looked at."""
        if self.visible is not None:
            return None if self.visible.reads_samples is False else self.visible.inductive == "no"
        if self.transductive is not None:
            return self.transductive
        return None if self.pretrain is None else self.pretrain.transductive

    @property
    def reach(self) -> str | None:
        """In a table: what was hidden in pre-training; None where the record does not say."""
        if self.visible is not None:
            return self.visible.reach
        known = self.is_transductive
        return None if known is None else HIDDEN["no" if known else "yes"]

    def differs(self, baseline: Record, name: str) -> str | None:
        """Why a gain over a run of the baseline is not told, in few words; None if both saw the same.

        Records of before ``visible`` are told apart by whether they are transductive; what neither says is not known,
        and does not keep them apart.
        """
        if self.visible is not None and baseline.visible is not None:
            return self.visible.differs(baseline.visible, name)
        ours, theirs = self.is_transductive, baseline.is_transductive
        if ours is None or theirs is None or ours == theirs:
            return None
        return f"{HIDDEN['no' if ours else 'yes']}, {name} {HIDDEN['no' if theirs else 'yes']}"

    @property
    def code(self) -> tuple[str | None, str | None, str | None]:
        """Version, commit, and the source of the user's own parts as one text."""
        own = ", ".join(f"{name} {code}" for name, code in (self.sources or {}).items())
        return (self.versions or {}).get("sigraph"), self.commit, own or None
