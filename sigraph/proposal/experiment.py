"""An experiment for one's own data: its settings, why each was chosen, and the YAML that says both."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import yaml

from sigraph.data import SampleDataset
from sigraph.proposal.budget import Length
from sigraph.proposal.components import Components, choose_components
from sigraph.tasks import Task
from sigraph.theory import AuditReport

SEEDS = [0, 1, 2]
FEWEST = 20  # samples
_SMALLEST_BATCH = 32
_FEW, _HEAD_RATE = 1000, 1.0e-2  # training labels; learning rate of a head on a checkpoint
_MOST_CONVERGED = 20  # label columns of a probe that is trained to its end
_WIDEST = 160  # letters of a comment about the files
_STEPS_AN_EPOCH = 8  # at least, as far as samples allow
_FITS_TARGETS = ("sigraph.encoders.MLPEncoder", "sigraph.encoders.HuggingFaceEncoder")
_TARGET = {
    "pretrain.sampler": {"_target_": "sigraph.samplers.SeedsOnly"},
    "pretrain.structure_loss": {
        "_target_": "sigraph.losses.TargetLoss",
        "target": {
            "_target_": "sigraph.targets.PropagatedFeatures",
            "out_channels": 128,
            "complete": {"neighbors": 20, "weight": 0.3},
        },
    },
}
_VERDICTS = ("promising", "weak", "suspicious", "useless")  # which graph first


@dataclass
class Proposal:
    """Settings by key of the experiment file, and what is said of them.

    Args:
        settings: The experiment, as plain containers.
        why: The reason of a setting by its dotted key.
        about: Lines at the top of the file.
        others: Lines at its end: what else could be tried.
        shorter: What of the samples' encoder takes less time, by overrides.
    """

    settings: dict[str, Any]
    why: dict[str, str] = field(default_factory=dict)
    about: list[str] = field(default_factory=list)
    others: list[str] = field(default_factory=list)
    shorter: str = ""

    def with_length(self, length: Length) -> None:
        """Set how long is pre-trained."""
        pretrain = self.settings["pretrain"]
        pretrain["trainer"] = {**pretrain["trainer"], "max_epochs": length.epochs}
        if length.steps_per_epoch is not None:
            pretrain["steps_per_epoch"] = length.steps_per_epoch
        self.why["pretrain.trainer"] = length.why

    def text(self) -> str:
        """The YAML, with its comments."""
        about = [line if len(line) <= _WIDEST else f"{line[:_WIDEST]}..." for line in self.about]
        lines = [f"# {line}".rstrip() for line in about]
        for key, value in self.settings.items():
            if key in ("pretrain", "arms"):
                lines.append(f"{key}:")
                lines += [self._line(f"{key}.{name}", name, one, "  ") for name, one in value.items()]
            elif key == "finetune" and value:
                lines.append("finetune:")
                lines += [f"  - {_flow(entry)}" for entry in value]
            else:
                lines.append(self._line(key, key, value, ""))
        return "\n".join([*lines, *(f"# {line}" for line in self.others), ""])

    def _line(self, path: str, name: str, value: Any, indent: str) -> str:
        text = f"{indent}{name}: {_flow(value)}"
        return f"{indent}# {self.why[path]}\n{text}" if path in self.why else text


def propose(
    dataset: SampleDataset,
    folder: str,
    uses: Mapping[str, str],
    audit: AuditReport | None = None,
    checkpoint: str | None = None,
) -> Proposal:
    """An experiment that asks whether the graph helps, with the arms that tell.

    Without edges the graph is made of the samples: those that share items where a column lists items, else the nearest.
    Without labels nothing is fine-tuned, and the embeddings are measured against the graph itself.

    Args:
        dataset: As it was prepared.
        folder: Where it is, as the experiment file names it.
        uses: What each column of the samples is.
        audit: Of its graphs and tasks, where it has both.
        checkpoint: Folder of a transformer that starts the encoder.

    Raises:
        ValueError: No encoder reads the samples, or there are too few.
    """
    if len(dataset) < FEWEST:
        raise ValueError(f"an experiment needs at least {FEWEST} samples to learn from (got {len(dataset)})")
    components = choose_components(dataset, uses, checkpoint)
    graph, rewired, why_graph = _graph(dataset, uses, components, audit)
    tasks = [name for name, task in dataset.tasks.items() if isinstance(task, Task)]
    arms: dict[str, Any] = {"sipt": {}}
    arms |= {"objective-only": {"pretrain.structure_weight": 0.0}} if components.objective else {}
    arms |= {"rewired-graph": rewired} if tasks else {}
    arms["no-pretraining"] = {"pretrain.trainer.max_epochs": 0}
    if tasks and components.encoder["_target_"] in _FITS_TARGETS and "target" not in dataset.held_graphs:
        arms["sipt-target"] = copy.deepcopy(_TARGET)
    arms |= components.arms if tasks else {}
    others = [name for name in dataset.held_graphs if name != graph.get("name")]
    arms |= {f"sipt-{name}": {"pretrain.graph": {"name": name, "rewire": 0.0}} for name in others}
    asked = f"the graph {graph['name']}" if "name" in graph else "a graph made of the samples"
    goal = f"to tell {', '.join(tasks)}" if tasks else "to lay samples out"
    parts = {"reader": components.reader} if components.reader else {}
    settings: dict[str, Any] = {
        "name": dataset.name,
        "question": f"Does {asked} in pre-training help {goal}?",
        "seeds": list(SEEDS),
        "pretrain": {
            "dataset": folder,
            "graph": graph,
            **parts,
            "encoder": components.encoder,
            "sampler": {"_target_": "sigraph.samplers.NeighborPairSampler", "num_neighbors": 1 if checkpoint else 2},
            "structure_loss": {"_target_": "sigraph.losses.InfoNCELoss", "temperature": 0.05 if checkpoint else 0.2},
            "objective": components.objective,
            "structure_weight": 0.5 if components.objective else 1.0,
            "batch_size": _batch_size(len(dataset), components.pace[1]),
            "optimizer": {"_target_": "torch.optim.AdamW", "lr": components.pace[0]},
            "trainer": {"max_epochs": 1, **components.trainer},
        },
        "finetune": _heads(dataset, tasks, components.pace[0] if checkpoint else None),
        "arms": arms,
        "baseline": "objective-only" if components.objective else "no-pretraining",
    }
    why = {f"pretrain.{key}": reason for key, reason in components.why.items() if key in settings["pretrain"]}
    why |= {
        "pretrain.graph": why_graph,
        "pretrain.structure_loss": "neighbours of a sample close, the other samples of a step far",
        "pretrain.structure_weight": "half of the loss from the graph; 0.1 and 0.9 are worth a try (see the end)",
        "arms.sipt-target": "the graph another way: onto its own features, spread over the graph (docs/targets.md)",
        "arms.objective-only": "the graph plays no part: what sipt has to beat",
        "arms.rewired-graph": "the same degrees, shuffled ends: as good as sipt only if the graph says nothing",
        "arms.no-pretraining": "the encoder as initialised"
        if components.objective
        else "the checkpoint as it comes: what sipt has to beat",
        "arms.morgan": "fingerprints and a linear model: seconds, and hard to beat",
    }
    why = {
        key: reason for key, reason in why.items() if not key.startswith("arms.") or key.removeprefix("arms.") in arms
    }
    if not tasks:
        why["finetune"] = "no labels: the embeddings are measured against edges that were held out"
        settings["pretrain"]["valid_edge_rate"] = 0.1
    if components.objective:
        ends = ["Worth a try: another weight of the graph, chosen by validation:"]
        ends += ["  grid: {pretrain.structure_weight: [0.1, 0.5, 0.9]}"]
    else:
        why["pretrain.structure_weight"] = "all of the loss is the graph's: there is no objective"
        ends = ["Worth a try: another learning rate, chosen by validation:"]
        ends += ["  grid: {pretrain.optimizer.lr: [1.0e-5, 2.0e-5, 5.0e-5]}"]
    if tasks:
        ends += ["and the question whether it helps on samples that pre-training never saw:"]
        ends += ["  sigraph run FILE pretrain.inductive=true"]
    return Proposal(settings, why, others=ends, shorter=components.shorter)


def _graph(
    dataset: SampleDataset, uses: Mapping[str, str], components: Components, audit: AuditReport | None
) -> tuple[dict[str, Any], dict[str, Any], str]:
    """The pre-training graph, what an arm sets for its control, and the reason."""
    names = list(dataset.held_graphs)
    if names:
        best, said = names[0], ""
        if audit is not None and audit.rows:
            row = min(audit.rows, key=lambda row: (_VERDICTS.index(row.verdict), names.index(row.graph)))
            best, said = row.graph, f"; audited for {row.task}: {row.verdict}, {row.reason}"
        return {"name": best, "rewire": 0.0}, {"pretrain.graph.rewire": 1.0}, f"your edges{said}"
    items = [name for name, use in uses.items() if use == "terms"]
    if items:
        made = {"_target_": "sigraph.graphs.BipartiteGraph", "column": items[0], "max_item_degree": 200}
        if separator := _separator(dataset, items[0]):
            made["separator"] = separator
        why = f"no edges were given: samples that share something in {items[0]} are joined"
    elif components.near is None:
        raise ValueError("no edges were given, and of such samples none are made; give a file of edges beside them")
    else:
        by_items = components.near["_target_"].endswith("BipartiteGraph")
        how = "samples that share something rare are joined" if by_items else "each is joined to the most similar ones"
        made, why = components.near, f"no edges were given: {how}"
    wrapped = {"_target_": "sigraph.graphs.Rewired", "rate": 0.0, "graph": made}
    if dataset.tasks:
        why += "; LabelAgreement joins training samples of like labels instead"
    return wrapped, {"pretrain.graph.rate": 1.0}, why


def _separator(dataset: SampleDataset, column: str) -> str:
    """What cuts the cells of a column into items; empty: they are lists."""
    records = dataset.store.records()
    if records is None or not hasattr(records[column].type, "value_type"):
        text = "".join(str(cell) for cell in (records[column][:200].to_pylist() if records is not None else []))
        return max(";|,", key=text.count)
    return ""


def _heads(dataset: SampleDataset, tasks: Sequence[str], rate: float | None) -> list[dict[str, Any]]:
    """A probe for each task; the encoder too for the first of them, at a learning rate of its own."""
    probes: list[dict[str, Any]] = []
    for name in tasks:
        labels = dataset.task(name).labels
        columns = labels.size(1) if labels.dim() == 2 else 1
        how = {"converged": True} if columns <= _MOST_CONVERGED else {"max_epochs": 30, "patience": 5}
        probes.append({"task": name, "head": "linear", "normalize": True, **how})
    if not probes:
        return []
    full: dict[str, Any] = {"task": tasks[0], "head": "full", "max_epochs": 30, "patience": 10}
    if rate is not None:  # the head begins with nothing, and has as many steps as a few passes give
        few = dataset.task(tasks[0]).split["train"].numel() < _FEW
        full |= {"max_epochs": 10 if few else 5, "patience": 5, "batch_size": 16 if few else _SMALLEST_BATCH}
        full["optimizer"] = {"_target_": "torch.optim.AdamW", "lr": _HEAD_RATE}
        full["encoder_lr_scale"] = rate / _HEAD_RATE
    return [probes[0] | {"primary": True}, *probes[1:], full]


def _batch_size(num_samples: int, most: int) -> int:
    """A power of two that leaves some steps in an epoch."""
    fitting = max(_SMALLEST_BATCH, min(most, num_samples // _STEPS_AN_EPOCH))
    return 1 << (fitting.bit_length() - 1)


def _flow(value: Any) -> str:
    """On one line, as YAML."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, width=10**6, allow_unicode=True)
    return text.removesuffix("\n").removesuffix("...").strip()
