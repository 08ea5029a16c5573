"""Predictions of parts: a row a letter, as the record keeps them of its own samples."""

import pyarrow.parquet as pq
import torch

import sigraph
from sigraph.files.sealed import read_sealed
from sigraph.leaderboard.result_files import RESULTS


def test_own_test_letters_are_predicted_as_the_record_keeps_them(letter_run):
    entry = read_sealed(letter_run / RESULTS)["tasks"][2]
    kept = pq.read_table(letter_run / "predictions" / entry["predictions"]["file"]).to_pydict()
    table = sigraph.predict(letter_run, task="first").to_table().to_pylist()
    found = [row for row in table if row["id"] in set(kept["id"])]
    assert [row["id"] for row in found] == kept["id"] and len(table) > len(found)
    score = torch.tensor([kept["y_pred_0"], kept["y_pred_1"]], dtype=torch.float64).T.softmax(dim=1)
    assert torch.allclose(torch.tensor([[row["p_first"], row["p_other"]] for row in found]).double(), score, atol=1e-6)


def test_positions_count_from_zero_and_an_empty_sequence_has_one(letter_run):
    found = sigraph.predict(letter_run, ["AC-D", "", "V!"], task="first")
    table = found.to_table()
    assert table.column_names == ["id", "position", "predicted", "p_first", "p_other", "known"]
    assert list(zip(table["id"].to_pylist(), table["position"].to_pylist(), strict=True)) == [
        *((0, 0), (0, 1), (0, 2)),
        *((1, 0), (2, 0), (2, 1)),
    ]
    assert table["known"].to_pylist() == [1, 1, 1, 0, 0.5, 0.5] and "row 2" in found.note
