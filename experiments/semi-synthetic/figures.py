"""The figures of the semi-synthetic worlds from finished runs, and their table on stdout.

    python experiments/semi-synthetic/figures.py [RUNS] [OUT]

RUNS is the ``output_dir`` of `sigraph run` (default: runs), OUT the folder of the pictures (default: this one). Worlds
that were not run are left out.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from sklearn.manifold import TSNE

from sigraph.encoders import embed
from sigraph.evaluation import neighbor_prediction
from sigraph.export.load import load_encoder
from sigraph.files.markdown import markdown_table
from sigraph.files.sealed import read_sealed
from sigraph.running.data_source import open_data

PREFIX = "semi-synthetic-"
MANIFOLDS = {"plane": "plane", "moebius": "Möbius strip", "sphere": "sphere", "torus": "torus"}
WITHOUT, WITH = "objective-only", "sipt-1"  # arms whose latent spaces are drawn
BLUE, ORANGE, GREY = "#1f6fb4", "#d95f0e", "#888888"
HELD_OUT = "-held-out"


def read_runs(folder: Path) -> list[dict[str, Any]]:
    """One entry a finished run of a semi-synthetic experiment: its record, what it says of pre-training, its folder."""
    runs = []
    for file in sorted(folder.glob(f"{PREFIX}*/*/*/seed-*/results.json")):
        record = read_sealed(file)
        if record["status"] == "ok":
            runs.append({"record": record, "pretrain": record["pretrain"], "folder": file.parent})
    if not runs:
        raise SystemExit(f"{folder} holds no finished run of experiments/semi-synthetic; run one first")
    return runs


def local_consistency(run: dict[str, Any], task: str) -> float:
    """LC of a task on the world's own graph, without noise or rewiring."""
    dataset = open_data(run["pretrain"]["dataset"])
    return dataset.graph(run["pretrain"]["graph"].get("name")).local_consistency(dataset.task(task).labels)


def scores(runs: list[dict[str, Any]]) -> dict[tuple[str, str, str], dict[str, Any]]:
    """(experiment, arm, task) -> LC, and accuracies over seeds on seen and on held-out samples."""
    found: dict[tuple[str, str, str], dict[str, Any]] = {}
    for run in runs:
        record = run["record"]
        for task in record["tasks"]:
            key = (record["experiment"].removeprefix(PREFIX), record["arm"], task["task"])
            if key not in found:
                found[key] = {"lc": local_consistency(run, task["task"]), "seen": [], "held out": [], "hit": []}
            kind = "held out" if task["dataset"].endswith(HELD_OUT) else "seen"
            found[key][kind].append(task["test"])
            certificate = record["pretrain"].get("certificate") or {}
            if kind == "seen" and certificate.get("hit_rate") is not None:
                found[key]["hit"].append(certificate["hit_rate"])
    return found


def table(found: dict[tuple[str, str, str], dict[str, Any]]) -> str:
    """Every world, arm and task as Markdown."""
    titles = ["world", "task", "arm", "n", "LC", "seen", "held out", "nearest neighbour is an edge", "seen >= LC"]
    lines = []
    for (world, arm, task), row in found.items():
        reached = "yes" if mean(row["seen"]) >= row["lc"] else "no"
        cells = [world, task, arm, str(len(row["seen"])), f"{row['lc']:.3f}"]
        cells += [spread(row[kind]) for kind in ("seen", "held out", "hit")]
        lines.append([*cells, reached])
    return markdown_table(titles, lines)


def mean(values: list[float]) -> float:
    return sum(values) / len(values) if values else float("nan")


def deviation(values: list[float]) -> float:
    """Unbiased standard deviation; 0 of a single value."""
    return float(torch.tensor(values).std()) if len(values) > 1 else 0.0


def spread(values: list[float]) -> str:
    if not values:
        return ""
    return f"{mean(values):.3f}" + (f" ± {deviation(values):.3f}" if len(values) > 1 else "")


def style(axis: Axes, x: str, y: str) -> None:
    axis.set_xlabel(x)
    axis.set_ylabel(y)
    axis.grid(color="#e6e6e6", linewidth=0.7)
    axis.set_axisbelow(True)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)


def noise_figure(found: dict[tuple[str, str, str], dict[str, Any]], path: Path) -> None:
    """Accuracy on label cliques against the share of edges exchanged, left: samples seen, right: held out."""
    figure = Figure(figsize=(9.6, 4.0), layout="constrained")
    for axis, kind, title in zip(
        figure.subplots(1, 2, sharey=True),
        ("seen", "held out"),
        ("samples seen in pre-training", "held-out samples"),
        strict=True,
    ):
        for loss, color, shown in (("sipt-", BLUE, "multi-similarity"), ("sipt-contrastive-", ORANGE, "contrastive")):
            for noise, line, what in (("flip", "-", "exchanged"), ("drop", "--", "dropped"), ("add", ":", "added")):
                points = [(0.0, found.get(("cliques-noise", f"{loss}clean", "topic")))]
                for (world, arm, _), row in found.items():
                    if world == "cliques-noise" and arm.startswith(f"{loss}{noise}-"):
                        points.append((float(arm.rpartition("-")[2]), row))
                points = sorted((rate, row) for rate, row in points if row is not None)
                if len(points) > 1:
                    axis.errorbar(
                        [rate for rate, _ in points],
                        [mean(row[kind]) for _, row in points],
                        [deviation(row[kind]) for _, row in points],
                        color=color,
                        linestyle=line,
                        marker="o",
                        markersize=4,
                        capsize=2,
                        label=f"{shown}, edges {what}",
                    )
        for arm, shown, line in (("objective-only", "objective only", "-"), ("rewired-graph", "rewired graph", ":")):
            row = found.get(("cliques-noise", arm, "topic"))
            if row is not None:
                axis.axhline(mean(row[kind]), color=GREY, linewidth=1.2, linestyle=line, label=shown)
        style(axis, "noise rate, share of the clean graph's edges", "3-nearest-neighbour accuracy")
        axis.set_title(title, fontsize=11)
        axis.set_ylim(0, 1.03)
    figure.axes[1].set_ylabel("")
    figure.legend(*figure.axes[0].get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    figure.savefig(path, dpi=130)


def latent_figure(runs: list[dict[str, Any]], path: Path) -> None:
    """t-SNE of the seen samples' embeddings by topic: manifolds by columns, without and with the graph by rows."""
    first: dict[tuple[str, str], dict[str, Any]] = {}
    for run in runs:
        world = run["record"]["experiment"].removeprefix(PREFIX)
        if world in MANIFOLDS and run["record"]["arm"] in (WITHOUT, WITH):
            first.setdefault((world, run["record"]["arm"]), run)
    worlds = [world for world in MANIFOLDS if (world, WITHOUT) in first and (world, WITH) in first]
    if not worlds:
        return
    figure = Figure(figsize=(3.1 * len(worlds), 6.7), layout="constrained")
    axes = figure.subplots(2, len(worlds), squeeze=False)
    for column, world in enumerate(worlds):
        lc = local_consistency(first[world, WITH], "topic")
        for row, arm in enumerate((WITHOUT, WITH)):
            dataset = open_data(first[world, arm]["pretrain"]["dataset"])
            y = dataset.task("topic").labels
            z = F.normalize(embed(load_encoder(first[world, arm]["folder"]), dataset), dim=1)
            place = TSNE(metric="cosine", init="pca", perplexity=30, random_state=0).fit_transform(z.numpy())
            axis = axes[row][column]
            colors = matplotlib.colormaps["tab10"]
            edges = dataset.graph("radius").edge_index
            if arm == WITH:
                for a, b in edges[:, edges[0] < edges[1]].t().tolist():
                    axis.plot(*place[[a, b]].T, color="#bbbbbb", linewidth=0.25, zorder=0)
            axis.scatter(*place.T, s=8, c=[colors(int(label)) for label in y], linewidths=0)
            accuracy = float((neighbor_prediction(z, y, 3) == y).float().mean())
            name = f"{MANIFOLDS[world]}, LC {lc:.3f}\n" if row == 0 else ""
            axis.set_title(f"{name}accuracy {accuracy:.3f}", fontsize=10.5)
            axis.set_xticks([])
            axis.set_yticks([])
            for side in axis.spines.values():
                side.set_color("#cccccc")
    for row, label in enumerate(("without the graph", "with the graph (its edges in grey)")):
        axes[row][0].set_ylabel(label, fontsize=11)
    figure.savefig(path, dpi=130)


def consistency_figure(found: dict[tuple[str, str, str], dict[str, Any]], path: Path) -> None:
    """Accuracy on seen samples against LC over all worlds and tasks, with the line accuracy = LC."""
    groups = {
        "structure weight 1": (("sipt-1", "sipt-contrastive-1"), BLUE, "o"),
        "structure weight 0.5": (("sipt-0.5", "sipt-contrastive-0.5"), "#2ca25f", "s"),
        "structure weight 0.1": (("sipt-0.1", "sipt-contrastive-0.1"), ORANGE, "^"),
        "objective only": (("objective-only",), GREY, "x"),
    }
    figure = Figure(figsize=(6.0, 5.6), layout="constrained")
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1], color="black", linewidth=1, label="accuracy = LC")
    for shown, (arms, color, marker) in groups.items():
        rows = [row for (world, arm, _), row in found.items() if arm in arms and world != "cliques-noise"]
        edge = {} if marker == "x" else {"edgecolors": "white", "linewidths": 0.5}
        axis.scatter(
            [row["lc"] for row in rows],
            [mean(row["seen"]) for row in rows],
            s=34,
            color=color,
            marker=marker,
            label=shown,
            alpha=0.9,
            **edge,
        )
    style(axis, "local consistency of the task on the graph", "3-nearest-neighbour accuracy, samples seen")
    axis.set_xlim(0, 1.03)
    axis.set_ylim(0, 1.03)
    axis.set_aspect("equal")
    axis.legend(frameon=False, fontsize=9, loc="upper left")
    figure.savefig(path, dpi=130)


def main(arguments: list[str]) -> None:
    folder = Path(arguments[0] if arguments else "runs")
    out = Path(arguments[1]) if len(arguments) > 1 else Path(__file__).parent
    out.mkdir(parents=True, exist_ok=True)
    runs = read_runs(folder)
    found = scores(runs)
    by_world: dict[str, int] = defaultdict(int)
    for world, _, _ in found:
        by_world[world] += 1
    if "cliques-noise" in by_world:
        noise_figure(found, out / "noise.png")
    latent_figure(runs, out / "latent-spaces.png")
    consistency_figure(found, out / "local-consistency.png")
    sys.stdout.write(f"{table(found)}\n")


if __name__ == "__main__":
    main(sys.argv[1:])
