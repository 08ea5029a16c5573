"""Secondary structure of residues in eight states and in three, the chains of CB513 alone."""

import numpy as np
import pyarrow as pa
import torch

from sigraph.data import SampleDataset
from sigraph.recipes.cb513 import STATES, read_cb513
from sigraph.tasks import PartTask
from sigraph.tasks.splits import SplitRule

SPLIT = SplitRule("random", rates=(0.6, 0.2, 0.2), seed=0)
THREE = {"H": "GHI", "E": "BE", "C": "STC"}


def prepare(files, card):
    """Records with ``sequence``, no graph, the tasks ``state-8`` and ``state-3`` of residues with a drawn split."""
    chains = read_cb513(files["secondary_structure/CB513_HHblits.csv"])
    eight = torch.from_numpy(np.concatenate([chain.eight for chain in chains]))
    of_three = torch.tensor([next(i for i, members in enumerate(THREE.values()) if one in members) for one in STATES])
    three = torch.where(eight >= 0, of_three[eight.clamp(min=0)], -1)
    ptr = torch.tensor([0, *(len(chain.sequence) for chain in chains)]).cumsum(0)
    split = SPLIT.draw(torch.arange(len(chains)))
    tasks = {}
    for name, label, classes in (("state-8", eight, list(STATES)), ("state-3", three, list(THREE))):
        about = f"split drawn: {SPLIT}"
        tasks[name] = PartTask(name, label, split, metric="accuracy", ptr=ptr, classes=classes, about=about)
    samples = pa.table({"sequence": [chain.sequence for chain in chains]})
    return SampleDataset(samples, tasks=tasks, name=card.name)
