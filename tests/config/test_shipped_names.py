"""A class of sigraph's that is not there is said before anything is imported."""

import subprocess
import sys

import pytest
import yaml

from sigraph.config import ConfigError
from sigraph.config.build import NESTED_BASES
from sigraph.config.shipped_names import refuse_unknown_names


@pytest.mark.parametrize("home", NESTED_BASES)
def test_what_is_there_passes_and_what_is_not_is_named_with_the_nearest(home):
    module = __import__(home, fromlist=["x"])
    for name in module.__all__:
        refuse_unknown_names({"a": [{"_target_": f"{home}.{name}"}]}, "arm 'x': ")
    wrong = f"{max(name for name in module.__all__ if name[0].isupper())}x"
    with pytest.raises(ConfigError, match=rf"arm 'x': a\.0: '{home}' has no '{wrong}' \(did you mean .*it has"):
        refuse_unknown_names({"a": [{"_target_": f"{home}.{wrong}"}]}, "arm 'x': ")


@pytest.mark.parametrize("target", ["mine.Encoder", "torch.optim.AdamV", "sigraph.nowhere.X", 5, "sigraph"])
def test_what_only_an_import_tells_is_left_to_it(target):
    refuse_unknown_names({"_target_": target}, "x")


def test_the_command_imports_nothing_heavy_for_it(toy, tmp_path):
    toy["pretrain"]["encoder"] = {"_target_": "sigraph.encoders.MLPEncodr"}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(toy))
    code = (
        "import sys\nfrom sigraph.cli import main\n"
        f"assert main(['run', {str(tmp_path / 'x.yaml')!r}]) == 2\n"
        "assert not {'torch', 'torch_geometric', 'lightning'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "pretrain.encoder: 'sigraph.encoders' has no 'MLPEncodr' (did you mean 'MLPEncoder'?)" in done.stderr
