"""Morgan fingerprints with a linear model, beside scikit-learn on rdkit's own bits."""

import numpy as np
import pyarrow as pa
import pytest
import torch
from arm_cases import dataset, given, predict, samples
from sklearn.linear_model import LogisticRegression

from sigraph.arms import MorganFingerprints
from sigraph.data import SampleDataset
from sigraph.readers import Molecules

chem = pytest.importorskip("rdkit.Chem")


def bits(size=256):
    """Of each molecule by rdkit alone."""
    from rdkit.Chem.rdFingerprintGenerator import GetMorganGenerator

    of = GetMorganGenerator(radius=1, fpSize=size).GetFingerprintAsNumPy
    return np.stack([of(chem.MolFromSmiles(one)) for one in samples("smiles")["smiles"].to_pylist()])


def arm(**settings):
    return MorganFingerprints(**{"radius": 1, "num_bits": 256, "penalties": [0.5]} | settings)


def test_classes_and_columns_are_scikit_learns_logistic_regression_on_rdkits_bits():
    x, data = bits(), dataset("smiles")
    model = LogisticRegression(C=2.0, max_iter=1000).fit(x[:20], data.task().labels[:20])
    found = predict(arm(), data)
    np.testing.assert_allclose(found.test.exp(), model.predict_proba(x[40:]), atol=1e-4)
    assert found.num_parameters == 257

    columns = dataset("smiles", "multilabel")
    y, found = columns.task().labels[:20].numpy(), predict(arm(), columns)
    for column in range(2):
        known = ~np.isnan(y[:, column])
        model = LogisticRegression(C=2.0, max_iter=1000).fit(x[:20][known], y[known, column])
        np.testing.assert_allclose(found.test[:, column], model.decision_function(x[40:]), atol=1e-3)
    assert bool((found.test[:, 2] == 0).all())  # known of no training sample


def test_validation_chooses_the_penalty_by_itself_and_readers_change_nothing():
    data = dataset("smiles")
    found = predict(arm(penalties=[1e4, 0.5]), data)
    assert found.num_trials == 2
    scores = {
        p: data.task().evaluate(data.task().split["valid"], predict(arm(penalties=[p]), data).valid) for p in (1e4, 0.5)
    }
    best = max(scores, key=lambda p: scores[p][data.task().metric])
    assert torch.equal(found.test, predict(arm(penalties=[best]), data).test)
    reader = Molecules()
    reader.fit(data.records)
    assert torch.equal(found.test, predict(arm(penalties=[1e4, 0.5]), data.read(reader)).test)


def test_what_cannot_be_read_is_refused_before_anything_trains_or_has_no_bit():
    table = samples("smiles")
    cells = table["smiles"].to_pylist()
    cells[3], cells[50] = "C1CC", ""
    data = dataset("smiles")
    broken = SampleDataset(pa.table({"smiles": cells}), dict(data.graphs), dict(data.tasks), name="broken")
    with pytest.raises(ValueError, match=r"'MorganFingerprints' cannot read 2 of 60 cells .*row 4: 'C1CC', row 51"):
        arm().check(given(broken), broken.task())
    found = predict(arm(unreadable="unknown"), broken)
    assert bool(torch.isfinite(found.test).all())
    model = LogisticRegression(C=2.0, max_iter=1000)
    x = bits()
    x[[3, 50]] = 0
    model.fit(x[:20], broken.task().labels[:20])
    np.testing.assert_allclose(found.test.exp(), model.predict_proba(x[40:]), atol=1e-4)


def test_many_molecules_are_read_once(monkeypatch, tmp_path):
    monkeypatch.setenv("SIGRAPH_DATA", str(tmp_path))
    monkeypatch.setattr("sigraph.arms.morgan_fingerprints.KEPT_FROM", 10)
    data = dataset("smiles")
    found = predict(arm(), data)
    monkeypatch.setattr("sigraph.arms.morgan_fingerprints.morgan_fingerprints", None)
    assert torch.equal(predict(arm(), data).test, found.test)
    with pytest.raises(TypeError):
        predict(arm(radius=2), data)  # other bits


def test_arguments_are_checked():
    for wrong in ({"radius": -1}, {"num_bits": 4}, {"unreadable": "drop"}, {"penalties": [0.0]}):
        with pytest.raises(ValueError, match=f"'{next(iter(wrong))}' needs .* in 'MorganFingerprints'"):
            MorganFingerprints(**wrong)
