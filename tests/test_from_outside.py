"""What a user adds in a file of its own beside the YAML: a kind of samples, a reader, an encoder, a loss."""

import pyarrow as pa
import pytest
import torch
import yaml

import sigraph
from sigraph.cli import main
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.tasks import Task

SAMPLES = '''
"""Intervals: a kind of samples that sigraph does not know."""
from sigraph.data import PretrainGraph, SampleDataset
from sigraph.samples import Samples
from sigraph.samples.alike import Alike, hashed_rows, numbered
from sigraph.samples.base import feed_array, save_array
from sigraph.synthetic import World
from sigraph.tasks import Task
import numpy as np, torch

class Intervals(Samples):
    kind, mark = "intervals", "samples.ends.npy"
    def __init__(self, ends): self.ends = ends
    @property
    def sizes(self): return {"num_ends": 2}
    def __len__(self): return len(self.ends)
    def fetch(self, node): return {"low": self.ends[node, 0], "high": self.ends[node, 1]}
    def take(self, node): return Intervals(self.ends[node])
    def describe(self): return "intervals"
    def feed(self, add): feed_array(add, "ends", self.ends)
    def save(self, folder): save_array(folder, self.mark, self.ends)
    @classmethod
    def open(cls, files): return cls(files.array(cls.mark).whole())
    @classmethod
    def alike(cls, sets, ids, kinds):
        return Alike({"exact": numbered(np.concatenate([hashed_rows(one.ends) for one in sets]))}, "intervals")

class IntervalWorld(World):
    """Intervals that are joined where they overlap.

    Args:
        num_samples: N.
        seed: Of the draw.
    """
    def __init__(self, num_samples: int = 40, seed: int = 0):
        self.num_samples, self.seed = num_samples, seed
    def generate(self, seed):
        draw = torch.Generator().manual_seed(seed)
        low = torch.rand(self.num_samples, generator=draw)
        ends = torch.stack([low, low + 0.2], dim=1)
        pairs = torch.combinations(torch.arange(self.num_samples)).t()
        near = pairs[:, (low[pairs[0]] - low[pairs[1]]).abs() < 0.1]
        ids = torch.arange(self.num_samples)
        split = {"train": ids[:20], "valid": ids[20:30], "test": ids[30:]}
        task = Task("half", (low > 0.5).long(), split)
        return SampleDataset(Intervals(ends), {"overlap": PretrainGraph(near, self.num_samples)}, {"half": task})
'''
ENCODER = '''
"""Reads intervals."""
import torch
from torch import nn
from sigraph.encoders import Encoder, Encoding

class IntervalEncoder(Encoder):
    """Both ends, linear.

    Args:
        num_ends: Filled from the samples.
        out_channels: D.
    """
    def __init__(self, num_ends: int, out_channels: int = 4):
        super().__init__()
        self.out_channels, self.linear = out_channels, nn.Linear(num_ends, out_channels)
    def forward(self, inputs):
        return Encoding(self.linear(torch.stack([inputs["low"], inputs["high"]], dim=1)))
'''
LOSS = '''
"""Pulls neighbours together and others apart."""
from sigraph.losses import StructureLoss

class PullLoss(StructureLoss):
    """Mean squared distance of positives.

    Args:
        scale: A factor.
    """
    def __init__(self, scale: float = 1.0):
        super().__init__()
        self.scale = scale
    def forward(self, z, pairs, candidates=None):
        candidates = z if candidates is None else candidates
        anchor, other = pairs.positive_index
        return self.scale * (z[anchor] - candidates[other]).square().sum(dim=1).mean() + 0 * z.sum()
'''
READER = '''
"""Lengths of words as features."""
import torch
from sigraph.readers import Reader
from sigraph.samples import Features

class Lengths(Reader):
    """How long a text is, and how many words it has.

    Args:
        column: Of text.
    """
    def __init__(self, column: str = "text"): self.column, self.longest = column, 1
    def fit(self, records): self.longest = max(map(len, records.column(self.column).to_pylist()))
    def read(self, records):
        text = records.column(self.column).to_pylist()
        return Features(torch.tensor([[len(t) / self.longest, float(len(t.split()))] for t in text]))
    def state(self): return {"longest": self.longest}
    def restore(self, state): self.longest = state["longest"]
'''


@pytest.fixture
def beside(tmp_path):
    """A folder with these files, and how an experiment is written there."""

    def write(modules, **pretrain):
        for name, text in modules.items():
            (tmp_path / f"{name}.py").write_text(text)
        tree = {
            "name": "own",
            "seeds": [0],
            "pretrain": {"batch_size": 20, "trainer": {"max_epochs": 2, "accelerator": "cpu"}, **pretrain},
            "finetune": [{"task": "half", "head": "linear", "max_epochs": 3}],
            "arms": {"sipt": {}, "no-pretraining": {"pretrain.trainer.max_epochs": 0}},
            "output_dir": str(tmp_path / "runs"),
        }
        (tmp_path / "own.yaml").write_text(yaml.safe_dump(tree))
        return tmp_path / "own.yaml"

    return write


def test_samples_encoder_and_loss_of_ones_own_run_from_a_yaml(beside, tmp_path, capsys):
    file = beside(
        {"own_intervals": SAMPLES, "own_reads": ENCODER, "own_pulls": LOSS},
        dataset={"_target_": "own_intervals.IntervalWorld"},
        graph="overlap",
        encoder={"_target_": "own_reads.IntervalEncoder"},
        structure_loss={"_target_": "own_pulls.PullLoss", "scale": 0.5},
    )
    assert main(["run", str(file)]) == 0 and "| sipt " in capsys.readouterr().out
    folder = next((tmp_path / "runs").glob("own/sipt/*/seed-0"))
    assert sigraph.load_encoder(folder, trust=["own_reads"]).linear.in_features == 2  # as its record says
    assert main(["audit", str(file)]) == 0 and "overlap" in capsys.readouterr().out


def test_a_reader_of_ones_own_goes_home_with_the_encoder(beside, tmp_path, capsys):
    texts = ["short", "a much longer text than that"] * 20
    ids = torch.arange(40)
    split = {"train": ids[:20], "valid": ids[20:30], "test": ids[30:]}
    graph = PretrainGraph(torch.stack([ids[:-2], ids[2:]]), 40)
    data = SampleDataset(pa.table({"text": texts}), {"alike": graph}, {"half": Task("half", ids % 2, split)}, name="t")
    data.save(tmp_path / "t")
    file = beside(
        {"own_lengths": READER},
        dataset=str(tmp_path / "t"),
        graph="alike",
        reader={"_target_": "own_lengths.Lengths"},
        encoder={"_target_": "sigraph.encoders.MLPEncoder", "hidden_channels": 4, "out_channels": 3},
    )
    assert main(["run", str(file)]) == 0
    folder = next((tmp_path / "runs").glob("own/sipt/*/seed-0"))
    (tmp_path / "new.csv").write_text("id,text\n1,short\n2,quite another text\n")
    command = ["embed", str(folder), "--dataset", str(tmp_path / "new.csv"), "--out", str(tmp_path / "z.npy")]
    assert main([*command, "--trust", "own_lengths"]) == 0
    reader = sigraph.load_reader(folder, trust=["own_lengths"])
    assert reader.state() == {"longest": 28} and len(reader.read(pa.table({"text": ["a b"]}))) == 1
