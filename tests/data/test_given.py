"""What a data set is made of, in words; how each part is refused stands in test_dataset.py."""

import pyarrow as pa
import pytest
import torch

from sigraph.data.given import named_items
from sigraph.data.graph import PretrainGraph
from sigraph.files.arguments import checked_node
from sigraph.samples.given import as_samples


def test_samples_in_words():
    assert as_samples(torch.ones(2, 7)).describe() == "rows of 7 features"
    assert as_samples(pa.table({"id": [1], "text": ["a"]})).describe() == "records with the columns 'id', 'text'"
    assert as_samples(pa.table({f"c{i}": [1] for i in range(6)})).describe().endswith("'c4', ...")


def test_parts_are_copied():
    parts = {"a": PretrainGraph(num_nodes=2)}
    assert named_items("graph", parts, PretrainGraph) == parts
    assert named_items("graph", parts, PretrainGraph) is not parts and named_items("graph", None, PretrainGraph) == {}


@pytest.mark.parametrize("node", [[2, 0, 2], torch.tensor([2, 0, 2], dtype=torch.int16)])
def test_ids_become_int64(node):
    assert checked_node(node, 3).tolist() == [2, 0, 2] and checked_node(node, 3).dtype == torch.long
    with pytest.raises(ValueError, match=r"'there' needs sample ids in \[0, 2\)"):
        checked_node(node, 2, "there")
