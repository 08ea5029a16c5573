"""Pictures of latent spaces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from sklearn.manifold import TSNE
from torch import Tensor

from sigraph.evaluation import label_agreement
from sigraph.files.atomic import atomic_file
from sigraph.files.foreign_text import printable
from sigraph.files.paths import user_path
from sigraph.files.random import keyed_generator

MOST = 3_000  # samples of a picture


@matplotlib.rc_context({"text.parse_math": False})  # a dollar in a name is a dollar
def latent_figure(
    panels: Mapping[str, Tensor],
    y: Tensor,
    path: str | Path,
    local_consistency: float | None = None,
    class_name: str = "class",
    seed: int = 0,
    names: Sequence[str | int] | None = None,
) -> Path:
    """Draw latent spaces side by side, projected to the plane by t-SNE on cosines and coloured by class.

    Titles say the leave-one-out nearest-neighbour accuracy of each latent space (all labelled samples, in the full
    space, not in the picture; nothing where nobody has a class); the local consistency of the graph, which it is
    measured against, stands above.

    Args:
        panels: Name and embeddings of each latent space. Shape [N, D] each.
        y: Classes, -1 missing (drawn grey). Shape [N].
        path: The PNG to write.
        local_consistency: Of the classes on the pre-training graph; None: not shown.
        class_name: What the colours are, for the legend.
        seed: Of the projection.
        names: What class 0, 1, ... is called; None: by its number.

    Of more than 3,000 samples 3,000 are drawn, the same in each panel, as t-SNE takes its time; figures are of all.

    Returns:
        ``path``.
    """
    path = user_path(path)
    classes = [int(c) for c in y.unique() if c >= 0]
    colors = matplotlib.colormaps["tab10" if len(classes) <= 10 else "tab20"]
    figure = Figure(figsize=(5.2 * len(panels), 5.4), layout="constrained")
    axes = figure.subplots(1, len(panels), squeeze=False)
    drawn = torch.randperm(len(y), generator=keyed_generator(seed))[:MOST].sort().values
    for axis, (name, z) in zip(axes[0], panels.items(), strict=True):
        unit = F.normalize(z[drawn], dim=1).numpy()
        perplexity = min(30.0, max(2.0, (len(unit) - 1) / 4))
        place = TSNE(metric="cosine", init="pca", perplexity=perplexity, random_state=seed).fit_transform(unit)
        unknown = (y[drawn] < 0).numpy()
        axis.scatter(*place[unknown].T, s=7, color="lightgrey", linewidths=0)
        for i, c in enumerate(classes):
            mine = (y[drawn] == c).numpy()
            called = printable(str(c if names is None else names[c]))
            axis.scatter(*place[mine].T, s=9, color=colors(i % colors.N), label=called, linewidths=0)
        said = f"\nnearest-neighbour accuracy {label_agreement(z, y):.3f}" if classes else ""
        axis.set_title(f"{printable(name)}{said}", fontsize=12)
        axis.set_xticks([])
        axis.set_yticks([])
        axis.set_aspect("equal", adjustable="datalim")
        for side in axis.spines.values():
            side.set_color("lightgrey")
    handles, labels = axes[0][0].get_legend_handles_labels()
    if 0 < len(classes) <= 20:
        figure.legend(
            handles,
            labels,
            title=printable(class_name),
            loc="outside lower center",
            ncols=10,
            frameon=False,
            markerscale=2.5,
        )
    if local_consistency is not None:
        figure.suptitle(f"local consistency of the pre-training graph: LC = {local_consistency:.3f}", fontsize=12)
    with atomic_file(path) as file:
        figure.savefig(file, format="png", dpi=120)
    return path
