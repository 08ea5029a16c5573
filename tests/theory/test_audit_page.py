"""docs/audit.md shows what works as it stands there, and its figures are those of the code."""

import re
import shlex

import pytest
from pages import blocks, read

from sigraph.cli import _Parser
from sigraph.commands.audit import add_audit_options
from sigraph.theory.audit.audit import LEAST_GAIN, LEAST_Z
from sigraph.theory.audit.report import VERDICTS

PAGE = read("docs/audit.md")


@pytest.mark.filterwarnings("ignore:'PretrainGraph' dropped")
def test_python_runs(capsys):
    names = {}
    (code,) = blocks(PAGE, "python")
    exec(code, names)
    assert names["best"].graph == "within" and names["best"].verdict == "promising"
    assert capsys.readouterr().out.splitlines()[-1].startswith("within promising 1.0")


def test_commands_parse():
    parser = _Parser()
    add_audit_options(parser)
    commands = re.findall(r"^sigraph audit (.*)$", blocks(PAGE, "")[0], re.MULTILINE)
    assert len(commands) == 4
    assert all(parser.parse_args(shlex.split(line, comments=True)).what for line in commands)
    options = {f"--{word}" for word in re.findall(r"`--([a-z-]+)", PAGE)}
    assert options and options <= set(parser._option_string_actions)


def test_the_verdicts_are_those_of_the_code():
    assert tuple(re.findall(r"^\| (\w+) \| ", PAGE, re.MULTILINE)[1:]) == VERDICTS
    assert f"at least {LEAST_GAIN} above its null mean, and z >= {LEAST_Z:g}" in PAGE
