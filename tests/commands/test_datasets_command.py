"""One data set told, help by command, and an unknown option answered by the command it was given to."""

import pytest

from sigraph.cli import main


def test_a_data_set_is_told(capsys):
    assert main(["datasets", "cora"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("cora: ") and "citation: 5,278 edges" in out and "train 140, valid 500, test 1,000" in out
    assert main(["datasets", "ogbg-molbace"]) == 0 and "one of OGB's" in capsys.readouterr().out
    assert main(["datasets", "core"]) == 2 and "did you mean 'cora'" in capsys.readouterr().err


def test_help_is_of_the_command(capsys):
    assert main(["help", "run"]) == 0 and capsys.readouterr().out.startswith("usage: sigraph run")
    assert main(["help", "rum"]) == 2 and "'run'" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["run", "x.yaml", "--nope"])
    assert capsys.readouterr().err.startswith("usage: sigraph run")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["rnu"], "there is no command 'rnu' (did you mean 'run'?)"),
        (["init", "x.csv", "--minuts", "3"], "--minuts (did you mean '--minutes'?)"),
        (["predict", ".", ".", "--samples", "x.csv", "--out", "y.csv"], "2 run folders were given"),
    ],
)
def test_what_was_meant_is_said(words, said, capsys):
    with pytest.raises(SystemExit):
        main(words)
    assert said in capsys.readouterr().err
