"""Experiment files that nobody should have written: every key with values that do not belong, and broken YAML."""

from __future__ import annotations

import copy
import dataclasses
import itertools
from collections.abc import Iterator
from typing import Any

import yaml

from sigraph.config.schema import FinetuneConfig, PretrainConfig, TrainerConfig

LONG = "x" * 600
# Written as in a YAML; most belong to no key, some to a few.
VALUES = {
    "null": "null",
    "true": "true",
    "empty text": "''",
    "text": "abc",
    "minus one": "-1",
    "zero": "0",
    "a half": "0.5",
    "nan": ".nan",
    "inf": ".inf",
    "minus inf": "-.inf",
    "huge": "100000000000",
    "beyond int64": "99999999999999999999",
    "1e308": "1.0e+308",
    "1e-320": "1.0e-320",
    "sixty": "1:40",
    "octal": "0o17",
    "date": "2001-01-01",
    "list": "[]",
    "list of one": "[1]",
    "deep list": "[[[[[1]]]]]",
    "mapping": "{}",
    "mapping of one": "{a: 1}",
    "a command": "{_target_: os.system, command: touch MARKER}",
    "a call": "{_target_: builtins.eval}",
    "the wrong class": "{_target_: torch.nn.Linear, in_features: 1, out_features: 1}",
    "a module": "{_target_: torch}",
    "no such class": "{_target_: sigraph.encoders.Nope}",
    "a target that is a number": "{_target_: 3}",
    "escape codes": '"\\e[31mred\\e[0m"',
    "a path": "../../../etc/passwd",
    "home": "~/x",
    "interpolation": "${oc.env:HOME}",
    "interpolation of itself": "${pretrain}",
    "bytes": "!!binary aGVsbG8=",
    "a set": "!!set {a, b}",
    "unicode": "日本\u202eabc",
    "long text": LONG,
    "a thousand digits": "9" * 5000,
    "nul": '"a\\0b"',
}
# Where a class is named.
TARGETS = (
    "os.system",
    "subprocess.Popen",
    "builtins.exec",
    "builtins.eval",
    "numpy.f2py.__main__.X",
    "antigravity.X",
    "this.X",
    "evil.X",
    "evil",
    "__main__.main",
    "sigraph.__main__.X",
    "sigraph.cli.main",
    "torch.hub.load",
    "torch.load",
    "torch.utils.collect_env.main",
    "torch.distributed.run.main",
    "lightning.pytorch.Trainer",
    "idlelib.idle.X",
    "",
    ".",
    "..",
    "a..b",
    "sigraph",
    "sigraph.",
    ".sigraph.X",
    "sigraph/encoders.X",
    "sigraph.encoders.MLPEncoder()",
    "sigraph.encoders.base.Encoder",
    "sigraph.encoders.MLPEncoder.__init__",
    "sigraph.encoders.MLPEncoder.__init__.__globals__",
    "pathlib.Path.touch",
    "importlib.import_module",
    "shutil.rmtree",
    "pickle.loads",
    "torch.os.system",
    "sigraph.export.load.os.system",
    "x" * 10000,
    "日本.語",
    "a b.c",
    "os.system\n",
    "\u0000.x",
)


def keyed(tree: dict[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Name, key and text: each key of an experiment with each of the values."""
    for path in _paths(tree):
        dotted = ".".join(map(str, path))
        for name, value in VALUES.items():
            yield f"{dotted} = {name}", dotted, _put(tree, path, value)
    for path in (
        ("pretrain", "encoder"),
        ("pretrain", "structure_loss"),
        ("pretrain", "graph"),
        ("pretrain", "optimizer"),
    ):
        for number, target in enumerate(TARGETS):
            plain = copy.deepcopy(tree)
            plain["pretrain"][path[1]] = {"_target_": target}
            yield f"{'.'.join(path)}._target_ {number} {target[:40]!a}", ".".join(path), yaml.safe_dump(plain)


def structural(tree: dict[str, Any]) -> Iterator[tuple[str, bytes]]:
    """Files that are no experiment, or hardly one."""
    whole = yaml.safe_dump(tree, sort_keys=False)
    aliases = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    deep = "{a: " * 100 + "1" + "}" * 100
    one_arm, one_seed, numbers = "  sipt: {}", "seeds:\n- 0", list(range(1, 130))
    loss = "pretrain.structure_loss"
    grid = f"grid: {{{loss}.size: {numbers}, {loss}.start_step: {numbers}, {loss}.loss.temperature: {numbers}}}\n"
    texts: dict[str, str | bytes] = {
        "empty": "",
        "a comment": "# nothing\n",
        "a list": "[1, 2]\n",
        "a word": "hello\n",
        "null": "null\n",
        "two documents": whole + "---\n" + whole,
        "tabs": "a:\n\tb: 1\n",
        "a key twice": whole + "name: other\n",
        "billion laughs": aliases + whole,
        "aliases as seeds": aliases + whole.replace(one_seed, "seeds: *a11"),
        "itself inside": "a: &a [*a]\n" + whole,
        "seeds are themselves": whole.replace(one_seed, "seeds: &s [*s]"),
        "pretrain is itself": "pretrain: &p\n  graph: *p\n",
        "merge with itself": "pretrain: &p\n  <<: *p\n",
        "100 deep lists": whole + "x: " + "[" * 100 + "]" * 100,
        "10,000 deep lists": whole + "x: " + "[" * 10_000,
        "100 deep mappings": whole + f"x: {deep}",
        "3,000 deep mappings": whole + "x: " + "{a: " * 3_000 + "1" + "}" * 3_000,
        "100 deep under objective": whole.replace("  encoder:", f"  objective: {deep}\n  encoder:"),
        "not utf-8": b"name: \xff\xfe\n",
        "utf-16": whole.encode("utf-16"),
        "bom": b"\xef\xbb\xbf" + whole.encode(),
        "nul": b"name: a\x00b\n",
        "cr only": whole.replace("\n", "\r"),
        "a binary": bytes(range(256)) * 20,
        "python object": "x: !!python/object/apply:os.system ['touch MARKER']\n" + whole,
        "python name": "name: !!python/name:os.system\n",
        "python module": "name: !!python/module:evil\n",
        "unknown tag": "name: !mine 3\n",
        "unclosed": "name: [1, 2\n",
        "colon": "name: a: b\n",
        "percent": "%YAML 9.9\n---\n" + whole,
        "number keys": "1: 2\n2.5: 3\nnull: 4\ntrue: 5\n" + whole,
        "list key": "? [a, b]\n: 1\n" + whole,
        "mapping key": "? {a: 1}\n: 1\n" + whole,
        "long key": f"{LONG}: 1\n" + whole,
        "dotted key": "pretrain.batch_size: 3\n" + whole,
        "escape codes in a key": '"\\e[31mred": 1\n' + whole,
        "escape codes in a name": whole.replace("name: small", 'name: "\\e[2J"'),
        "40 MB": whole + "# " + "x" * 40_000_000,
        "a million keys": whole + "".join(f"k{i}: 1\n" for i in range(200_000)),
        "extends itself": "extends: h.yaml\n",
        "extends nothing": "extends: none.yaml\n",
        "extends a folder": "extends: .\n",
        "extends passwd": "extends: /etc/passwd\n",
        "extends zero": "extends: /dev/zero\n",
        "extends a pipe": "extends: pipe\n",
        "extends a number": "extends: 3\n",
        "extends a list": "extends: [a, b]\n",
        "extends a url": "extends: http://localhost/x\n",
        "a grid of millions": whole + grid,
        "a grid of a million values": whole + f"grid: {{pretrain.batch_size: {list(range(1, 200_000))}}}\n",
        "a grid of nothing": whole + "grid: {pretrain.batch_size: []}\n",
        "a grid of seeds": whole + "grid: {seeds: [[1], [2]]}\n",
        "20,000 arms": whole.replace(one_arm, "".join(f"  a{i}: {{}}\n" for i in range(20_000))),
        "a million seeds": whole.replace(one_seed, f"seeds: {list(range(200_000))}"),
        "an arm of dots": whole.replace(one_arm, "  ..: {}"),
        "an arm that is a path": whole.replace(one_arm, "  ../x: {}"),
        "an arm of 300": whole.replace(one_arm, f"  {'a' * 300}: {{}}"),
        "a name of dots": whole.replace("name: small", "name: .."),
        "a name that is a path": whole.replace("name: small", "name: ../../x"),
        "a name of 300": whole.replace("name: small", "name: " + "a" * 300),
        "an arm overrides nothing": whole.replace(one_arm, "  sipt: {pretrain.nope.nope: 1}"),
        "an arm overrides all": whole.replace(one_arm, "  sipt: {pretrain: null}"),
        "10^11 channels": whole.replace("hidden_channels: 6", "hidden_channels: 100000000000"),
        "10^9 layers": whole.replace("hidden_channels: 6", "hidden_channels: 6\n    num_layers: 1000000000"),
        "2^63 memory": whole.replace("size: 16", "size: 9223372036854775808"),
    }
    for name, text in texts.items():
        yield name, text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text


def _paths(tree: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Every key of an experiment, of its dataclasses and of the components that it names."""
    found: list[tuple[Any, ...]] = [(key,) for key in ("name", "question", "seeds", "pretrain", "finetune", "arms")]
    found += [(key,) for key in ("baseline", "grid", "output_dir", "extends", "nope")]
    for cls, top in (
        (PretrainConfig, ("pretrain",)),
        (TrainerConfig, ("pretrain", "trainer")),
        (FinetuneConfig, ("finetune", 0)),
    ):
        found += [(*top, field.name) for field in dataclasses.fields(cls)]
    for name in ("encoder", "sampler", "structure_loss"):
        found += [("pretrain", name, key) for key in tree["pretrain"][name]]
    found += [("pretrain", "objective", "mask_rate"), ("pretrain", "structure_loss", "loss", "temperature")]
    found += [("pretrain", "graph", key) for key in ("name", "hops", "weight", "rewire")]
    found += [("pretrain", "optimizer", key) for key in ("lr", "weight_decay", "betas")]
    return list(dict.fromkeys(found))


def _put(tree: dict[str, Any], path: tuple[Any, ...], text: str) -> str:
    """The experiment as YAML with ``text``, as it stands, at a key."""
    plain = copy.deepcopy(tree)
    place: Any = plain
    for key, below in itertools.pairwise(path):
        if not isinstance(place[key] if isinstance(place, list) else place.get(key), dict | list):
            place[key] = [] if isinstance(below, int) else {}
        if key == "graph":
            place[key] = {"name": "cites"}
        if key == "optimizer":
            place[key] = {"_target_": "torch.optim.AdamW", "lr": 0.01}
        place = place[key]
    place[path[-1]] = "@VALUE@"
    return yaml.safe_dump(plain, sort_keys=False).replace("'@VALUE@'", text)
