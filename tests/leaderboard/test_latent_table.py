"""Experiments without labels end with a table of what the latent space holds of the graph."""

from sigraph.leaderboard.latent_table import latent_table


def record(arm, mrr, auc, status="ok"):
    shown = {"validation": [{"valid_mrr": 0.0, "valid_hits@10": 0.0}, {"valid_mrr": mrr, "valid_hits@10": 0.5}]}
    return {"arm": arm, "status": status, "pretrain": {**shown, "certificate": auc and {"auc": auc}}}


def test_last_measurements_with_their_unbiased_spread():
    table = latent_table([record("sipt", 0.2, 0.8), record("sipt", 0.4, None), record("none", 0.1, 0.6, "failed")])
    (row,) = table.split("\n")[2:]
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "sipt",
        "2",
        "0.3000 ± 0.1414",
        "0.5000 ± 0.0000",
        "0.8000",
    ]
