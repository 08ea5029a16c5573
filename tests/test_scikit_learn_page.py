"""docs/scikit-learn.md shows what works as it stands there, with fewer epochs and rows."""

import re

import numpy as np
from pages import blocks, read

DIGITS, OWN, FOLDS, TEXTS = blocks(read("docs/scikit-learn.md"), "python")


def test_the_page_runs(capsys):
    names = {}
    small = (
        DIGITS.replace("X = X / 16", "X, y = X[:200] / 16, y[:200]"),
        OWN,
        FOLDS.replace("cv=3", "cv=2").replace("0.1, ", ""),
        TEXTS,
    )
    for code in small:
        exec(re.sub(r"num_epochs=\d+", "num_epochs=1", code), names)
    said = capsys.readouterr().out
    assert re.match(r"0\.\d{3} on pixels, 0\.\d{3} on embeddings\n", said) and "siptencoder0" in said
    assert names["z"].shape == (5, 4) and np.isfinite(names["z"]).all()
    by_name = names["encoder"].transform(names["frame"])
    assert list(by_name.index) == names["names"]
