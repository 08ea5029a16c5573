"""Recipes of shipped data sets on small fakes in the format of their sources, and the real ones where they are."""

import json
from itertools import pairwise
from types import SimpleNamespace

import pytest
import torch

from sigraph.data import load_card
from sigraph.data.card import shipped_folder
from sigraph.recipes import open_dataset
from sigraph.recipes.prepare import _load_recipe


@pytest.fixture
def prepared(tmp_path):
    """Runs the recipe of a data set on files written byte for byte."""

    def run(name, contents):
        files = {}
        for path, content in contents.items():
            files[path] = tmp_path / path
            files[path].parent.mkdir(parents=True, exist_ok=True)
            files[path].write_bytes(content.encode())
        return _load_recipe(shipped_folder() / name / "prepare.py")(files, SimpleNamespace(name=name))

    return run


@pytest.fixture
def real(data_source):
    """Opens a data set from its real raw files; skips where they are not."""

    def opened(name):
        if not all((data_source / file.path).is_file() for file in load_card(name).files):
            pytest.skip(f"needs the raw files of {name} in SIGRAPH_DATA_SOURCE")
        return open_dataset(name)

    return opened


def permuted(graph, y, num_draws=5):
    """Mean local consistency with the labels of labelled samples permuted."""
    known = (~y.isnan()).any(dim=1).nonzero().view(-1) if y.dim() == 2 else (y >= 0).nonzero().view(-1)
    generator, found = torch.Generator().manual_seed(0), []
    for _ in range(num_draws):
        other = y.clone()
        other[known] = y[known[torch.randperm(known.numel(), generator=generator)]]
        found.append(graph.local_consistency(other))
    return sum(found) / num_draws


# cane-cora ############################################################################################################

PAPERS = 42
CLASSES = ["" if i % 7 == 3 else str(i % 7 % 3) for i in range(PAPERS)]


def cane(group=None, graph="0\t1\n1\t0\n2\t2\n4\t5\n", end="\n"):
    group = end.join(CLASSES) if group is None else group  # as in the real file, no end after the last line
    text = "".join(f"paper {i} about things{end}" for i in range(PAPERS))
    return {"cane_cora/data.txt": text, "cane_cora/group.txt": group, "cane_cora/graph.txt": graph}


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_cane_keeps_blank_lines_in_place(prepared, end):
    dataset = prepared("cane-cora", cane(end=end))
    task, graph = dataset.task("topic"), dataset.graph("citation")
    assert task.labels.tolist() == [int(c) if c else -1 for c in CLASSES]
    assert dataset.fetch(torch.tensor([5])) == [{"text": "paper 5 about things"}]
    assert graph.num_nodes == PAPERS and graph.edge_index.t().tolist() == [[0, 1], [1, 0], [4, 5], [5, 4]]
    ids = torch.cat(list(task.split.values()))
    assert ids.sort().values.tolist() == (task.labels >= 0).nonzero().view(-1).tolist()


@pytest.mark.parametrize(
    ("group", "message"),
    [
        (
            "\n".join(c for c in CLASSES if c),
            r"a line for each of the 42 texts, a blank one .*\(got 36, 0 of them blank",
        ),
        ("\n".join([*CLASSES, "", ""]), r"got 43, 7 of them blank"),
        ("\n".join(["7", *CLASSES[1:]]), r"group\.txt, line 1: needs a class in \[0, 7\) or nothing \(got '7'\)"),
        ("\n".join([*CLASSES[:2], "-1", *CLASSES[3:]]), r"line 3: .*got '-1'"),
    ],
)
def test_cane_labels_that_would_shift_are_refused(prepared, group, message):
    with pytest.raises(ValueError, match=message):
        prepared("cane-cora", cane(group))


def test_cora_text_trains_on_twenty_papers_a_topic_of_the_same_files(prepared):
    labels = "\n".join("" if i % 50 == 7 else str(i % 2) for i in range(200))
    files = {"cane_cora/data.txt": "word\n" * 200, "cane_cora/group.txt": labels, "cane_cora/graph.txt": "0 1\n"}
    dataset, other = prepared("cora-text", files), prepared("cane-cora", files)
    whole = dataset.task("topic")
    assert torch.equal(whole.labels, other.task().labels) and list(dataset.tasks) == list(load_card("cora-text").tasks)
    for name in ("topic-20", "topic-20-b", "topic-20-c"):
        split = dataset.task(name).split
        assert torch.isin(split["train"], whole.split["train"]).all() and len(split["train"]) == 40
        assert all(torch.equal(split[part], whole.split[part]) for part in ("valid", "test"))
    assert not torch.equal(dataset.task("topic-20").split["train"], dataset.task("topic-20-b").split["train"])


def test_cane_edge_of_no_paper_is_refused(prepared):
    with pytest.raises(ValueError, match="1 edges have an end that is no sample"):
        prepared("cane-cora", cane(graph=f"0 1\n0 {PAPERS}\n"))


def test_real_cane_agrees_with_its_labels_and_would_not_if_shifted(real):
    dataset = real("cane-cora")
    y, graph = dataset.task().labels, dataset.graph()

    def homophily(y):
        row, col = graph.edge_index
        known = (y[row] >= 0) & (y[col] >= 0)
        return float((y[row] == y[col])[known].float().mean())

    assert homophily(y) == pytest.approx(0.802, abs=1e-3)
    assert graph.local_consistency(y) == pytest.approx(0.822, abs=1e-3)
    shifted = torch.full_like(y, -1)
    shifted[: int((y >= 0).sum())] = y[y >= 0]  # what dropping blank lines makes of it
    assert homophily(shifted) < 0.2
    isolated = graph.store.degree(torch.arange(len(dataset))) == 0
    assert int((y < 0).sum()) == 66 and bool(isolated[y < 0].all()) and int(isolated.sum()) == 72
    parts = [dataset.task().split[part] for part in ("train", "valid", "test")]
    for part, rate in zip(parts, (0.1, 0.1, 0.8), strict=True):
        share = torch.bincount(y[part]) / torch.bincount(y[y >= 0])
        assert bool(((share - rate).abs() < 0.01).all())


# yeast-go and yeast-ppi ###############################################################################################

PROTEINS = [f"P{i:02d}" for i in range(20)]
ANNO = "".join(f"{p}\tGO:1,GO:{i % 3 + 2}\n" for i, p in enumerate(PROTEINS[:15])) + "P15\t\nP16\tGO:9\nP98\tGO:2\n"


def test_yeast_pairs_keeps_pairs_out_of_the_graph_and_proteins_in_one_part(prepared, caplog):
    caplog.set_level("INFO")
    names = [f"Q{i:03d}" for i in range(60)]
    rows = [(a, b, "+1.0" if i % 2 else "-1.0") for i, (a, b) in enumerate(zip(names, names[7:], strict=False))]
    rows += [(b, a, "+1.0" if i % 2 else "-1.0") for i, (a, b) in enumerate(zip(names, names[5:], strict=False))]
    rows += [("Q003", "Q003", "+1.0"), ("Q001", "R1", "+1.0"), (rows[0][1], rows[0][0], rows[0][2])]
    files = {
        "go2ppi_yeast/SC.ppi": "".join(f"{a}\t{b}\n" for a, b in pairwise(names))
        + f"{names[7]}\t{names[0]}\nQ059\tR2\n",  # a pair, the other way round
        "go2ppi_yeast/YC.ppi": "".join("\t".join(row) + "\n" for row in rows),
        "go2ppi_yeast/UP000002311_559292.fasta": "".join(f">sp|{name}|X words\nMKV\n" for name in [*names, "S1"]),
    }
    dataset = prepared("yeast-pairs", files)
    assert dataset.ids.to_pylist() == names and dataset.graph("interaction").num_edges == 2 * 59
    task, new = dataset.task("pairs"), dataset.task("new-proteins")
    assert task.metrics == ("accuracy", "rocauc", "ap")
    assert [[names[i] for i in pair] for pair in task.pairs.T.tolist()] == [[a, b] for a, b, _ in rows[:108]]
    assert task.labels.tolist() == [int(sign == "+1.0") for *_, sign in rows[:108]]
    assert sum(len(items) for items in task.split.values()) == 108
    seen = [set(new.pairs[:, items].view(-1).tolist()) for items in new.split.values()]
    assert all(seen) and not (seen[0] & seen[1] or seen[0] & seen[2] or seen[1] & seen[2])
    assert not _joined(dataset, task)
    assert "1 of a protein with itself, 1 with one of 1 proteins that are no samples (R1), 1 repeats" in caplog.text
    assert "60 names have a sequence; 2 have none (R1, R2); 1 of 61 sequences are of no name (S1)" in caplog.text
    for line, said in (("Q001\tQ002\t1\n", "needs .1.0 or -1.0 in column 3"), ("Q007\tQ000\t+1.0\n", "both labels")):
        with pytest.raises(ValueError, match=said):
            prepared("yeast-pairs", {**files, "go2ppi_yeast/YC.ppi": files["go2ppi_yeast/YC.ppi"] + line})
    with pytest.raises(ValueError, match=r"needs names of the 1 sequences \(got 62 others, Q000"):
        prepared("yeast-pairs", {**files, "go2ppi_yeast/UP000002311_559292.fasta": ">a\nMKV\n"})


def _joined(dataset, task):
    edges = {frozenset(edge) for edge in dataset.graph().edge_index.T.tolist()}
    return edges & {frozenset(pair) for pair in task.pairs.T.tolist()}


def test_yeast_go_takes_proteins_with_edge_and_sequence(prepared):
    fasta = "".join(f">sp|{p}|X_YEAST words\nMK\n{'A' * (i + 1)}\n" for i, p in enumerate(PROTEINS))
    edges = [*zip(PROTEINS[:17], [*PROTEINS[1:17], "P99"], strict=True), ("P03", "P03"), ("P02", "P01")]
    some = [("P02", "P01"), *((p, q) for p, q in zip(PROTEINS[:12], PROTEINS[4:16], strict=True))]
    judged = [(p, q, "+1.0" if i % 2 else "-1.0") for i, (p, q) in enumerate(some)]
    judged += [("P05", "P05", "+1.0"), ("P00", "P99", "+1.0"), ("P01", "P18", "-1.0")]  # none is a pair of samples
    dataset = prepared(
        "yeast-go",
        {
            "go2ppi_yeast/SC.ppi": "".join(f"{b}\t{a}\r\n" for a, b in reversed(edges)),
            "go2ppi_yeast/SC.anno": ANNO,
            "go2ppi_yeast/UP000002311_559292.fasta": fasta,
            "go2ppi_yeast/YC.ppi": "".join("\t".join(row) + "\n" for row in judged),
        },
    )
    assert dataset.ids.to_pylist() == PROTEINS[:17]  # P17 to P19 have no edge, P99 no sequence
    assert dataset.fetch(torch.tensor([16])) == [{"sequence": "MK" + "A" * 17}]
    assert dataset.graph("interaction").num_edges == 2 * 16
    others, ppi = dataset.graph("interaction-without-ppi"), dataset.task("ppi")
    assert (
        others.num_edges == 2 * 15 and not others.store.edges_between(torch.tensor([1]), torch.tensor([2]))[1].numel()
    )
    assert [[PROTEINS[i] for i in pair] for pair in ppi.pairs.T.tolist()] == [[p, q] for p, q, _ in judged[:13]]
    assert ppi.labels.tolist() == [int(sign == "+1.0") for *_, sign in judged[:13]]
    task = dataset.task("go")
    assert task.classes == ["GO:1", "GO:2", "GO:3", "GO:4", "GO:9"]  # 15, 6 (P98 too), 5, 5, 1
    assert task.labels[4].tolist() == [1, 0, 1, 0, 0] and task.labels[16].tolist() == [0, 0, 0, 0, 1]
    assert bool(task.labels[15].isnan().all())  # an empty list is no row of zeros
    assert torch.cat(list(task.split.values())).sort().values.tolist() == [*range(15), 16]


def test_a_protein_without_one_of_the_columns_is_zeros(prepared):
    rare = "".join(f"{p}\tGO:{100 + i // 2}\n" for i, p in enumerate(f"Q{i:02d}" for i in range(80)))
    sequences = "".join(f"{p}\tMK\n" for p in PROTEINS)
    actions = "P00\tP01\t1\nP01\tP00\t1\nP02\tP03\t0\nP02\tP04\t1\n"
    anno = "".join(f"{p}\tGO:1\n" for p in PROTEINS[:18]) + "P18\tGO:2\n" + rare
    dataset = prepared(
        "yeast-ppi",
        {
            "yeast_ppi/protein.dictionary.tsv": sequences,
            "yeast_ppi/protein.actions.tsv": actions,
            "go2ppi_yeast/SC.anno": anno,
        },
    )
    task = dataset.task("go")
    assert task.labels.shape == (20, 40) and "GO:2" not in task.classes
    assert not task.labels[18].any() and bool(task.labels[19].isnan().all())
    assert dataset.graph("pairs").edge_index.t().tolist() == [[0, 1], [1, 0], [2, 4], [4, 2]]  # label 0 is no edge


def test_yeast_pairs_with_other_labels_are_refused(prepared):
    files = {
        "yeast_ppi/protein.dictionary.tsv": "P00\tMK\nP01\tMK\n",
        "yeast_ppi/protein.actions.tsv": "P00\tP01\t+1.0\n",
        "go2ppi_yeast/SC.anno": ANNO,
    }
    with pytest.raises(ValueError, match=r"protein\.actions\.tsv needs 0 or 1 in column 3 \(got \['\+1\.0'\]\)"):
        prepared("yeast-ppi", files)


def test_real_interactions_agree_with_go_and_the_scrambled_ones_hardly(real):
    good, bad = real("yeast-go"), real("yeast-ppi")
    assert good.task().classes == bad.task().classes and good.task().classes[0] == "GO:0005515"
    for dataset, wanted, gain in ((good, 0.319, 0.259), (bad, 0.079, 0.018)):
        y, graph = dataset.task().labels, dataset.graph()
        found = graph.local_consistency(y)
        assert found == pytest.approx(wanted, abs=1e-3)
        assert found - permuted(graph, y) == pytest.approx(gain, abs=0.01)
    both = set(good.ids.to_pylist()) & set(bad.ids.to_pylist())
    a, b = (dict(zip(d.ids.to_pylist(), d.task().labels.tolist(), strict=True)) for d in (good, bad))
    assert all(str(a[name]) == str(b[name]) for name in both) and len(both) > 1500


# node2vec-ppi #########################################################################################################


def node2vec(labels, edges="1 2 1.000000\n2 1 1.000000\n3 3 1.000000\n5 2 1.000000\n2 5 1.000000\n"):
    return {"node2vec_ppi/node2vec_PPI.edgelist": edges, "node2vec_ppi/node2vec_PPI_labels.txt": labels}


def test_node2vec_numbers_start_at_one(prepared):
    labels = "5 50 \n1 1 2 \n2 2\n7 1\n3\n9 4\n"  # in no order; 3 has no label, 4, 6, 8 are nowhere
    dataset = prepared("node2vec-ppi", node2vec(labels))
    task = dataset.task("hallmark")
    assert dataset.ids.to_pylist() == [1, 2, 3, 5, 7, 9]
    assert dataset.fetch(torch.tensor([3])) == [{"node": 5}]
    assert dataset.graph("interaction").edge_index.t().tolist() == [[0, 1], [1, 0], [1, 3], [3, 1]]
    assert task.labels.shape == (6, 50) and task.classes[49] == "50"
    carried = task.labels.nan_to_num(0).nonzero().tolist()
    assert carried == [[0, 0], [0, 1], [1, 1], [3, 49], [4, 0], [5, 3]]
    assert bool(task.labels[2].isnan().all()) and not bool(task.labels[[0, 1, 3, 4, 5]].isnan().any())


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ("1 51\n", r"line 1: needs labels in \[1, 50\] \(got 51\)"),
        ("1 0\n", r"line 1: needs labels in \[1, 50\] \(got 0\)"),
        ("1 2\n1 3\n", r"line 2: needs a node of its own"),
        ("1 2\n\n", r"line 2: needs a node of its own"),
        ("1 two\n", r"line 1: needs a node of its own and label ids \(got '1 two'\)"),
    ],
)
def test_node2vec_labels_that_are_none_are_refused(prepared, labels, message):
    with pytest.raises(ValueError, match=message):
        prepared("node2vec-ppi", node2vec(labels))


def test_real_node2vec_is_weak_but_above_chance(real):
    dataset = real("node2vec-ppi")
    y, graph = dataset.task().labels, dataset.graph()
    assert graph.local_consistency(y) == pytest.approx(0.110, abs=1e-3)
    assert permuted(graph, y) == pytest.approx(0.033, abs=2e-3)
    assert dataset.ids.to_pylist() == list(range(1, 3891)) and not bool(y.isnan().any())


# ego-networks of proteins #############################################################################################


def ring(names):
    return [*zip(names, names[1:] + names[:1], strict=True)]


def rows(pairs):
    return "".join(f"{a}\t{b}\n" for a, b in pairs)


def alike(dataset):
    """Sets of samples that are the same graph."""
    return torch.from_numpy(type(dataset.store).alike([dataset.store], None, None).loosest)


@pytest.mark.filterwarnings("ignore:task 'hallmark'")  # a column of ones
def test_human_ppi_has_a_graph_around_each_protein(prepared):
    edges = "".join(f"{a} {b} 1.0\n" for a, b in [*ring([*range(1, 12)]), (1, 3), (20, 20)])
    labels = "".join(f"{i} {i} 50\n" for i in [*range(1, 12), 20, 30, 31])
    dataset = prepared("human-ppi", node2vec(labels, edges))
    assert dataset.ids.to_pylist() == [*range(1, 12), 20, 30, 31]
    one, alone = (dataset.fetch(torch.tensor([i])) for i in (1, 12))
    assert one.x.tolist()[0] == [2, 11, 1] and one.num_nodes == 5  # 2, whose neighbours 1 and 3 are joined; 4, 11
    assert alone.x.tolist() == [[0, 0, 1]] and not alone.num_edges
    group, split = alike(dataset), dataset.task("hallmark").split
    assert len({int(group[i]) for i in (11, 12, 13)}) == 1  # none has a neighbour
    parts = {name: set(group[ids].tolist()) for name, ids in split.items()}
    assert sum(map(len, parts.values())) == len(set.union(*parts.values())) == len(group.unique())


def test_yeast_ego_leaves_out_the_term_that_interactions_tell(prepared):
    names = PROTEINS[:15]
    anno = "".join(f"{p}\tGO:0005515,GO:{i % 3}\n" for i, p in enumerate(names[:14])) + "P14\t\n"
    pairs = [*ring(names), *((names[0], p) for p in names[2:9]), *((names[3], p) for p in names[6:12])]
    dataset = prepared("yeast-ego", {"go2ppi_yeast/SC.ppi": rows(pairs), "go2ppi_yeast/SC.anno": anno})
    task = dataset.task("go")
    assert task.classes == ["GO:0", "GO:1", "GO:2"] and bool(task.labels[14].isnan().all())
    assert dataset.ids.to_pylist() == names and task.labels[4].tolist() == [0, 1, 0]


@pytest.mark.filterwarnings("ignore:task 'go'")  # a column of ones
def test_ppi_species_joins_no_two_species_and_takes_terms_of_all(prepared):
    files, members = {}, {}
    for place, species in enumerate(("go2ppi_yeast/SC", "go2ppi_species/AT", "go2ppi_species/MM")):
        names = members[place] = [f"{species[-2:]}{i:02d}" for i in range(12)]
        pairs = [*ring(names), *((names[0], names[i]) for i in range(2, 6 + 2 * place))]
        extra = ["GO:1,GO:2,GO:0005515", "GO:1,GO:0005515", "GO:1,GO:2,GO:0005515"][place]
        files[f"{species}.ppi"] = rows(pairs)
        odd = ["", ",GO:3"]
        files[f"{species}.anno"] = (
            "".join(f"{p}\t{extra}{odd[i % 9 > 0]}\n" for i, p in enumerate(names[:11])) + f"{names[11]}\t\n"
        )
    dataset = prepared("ppi-species", files)
    graph, task = dataset.graph("interaction"), dataset.task("go")
    assert dataset.ids.to_pylist() == [name for place in range(3) for name in members[place]]
    assert graph.group.tolist() == [0] * 12 + [1] * 12 + [2] * 12
    assert torch.equal(*graph.group[graph.edge_index])
    assert task.classes == ["GO:1"]  # GO:2 is on none of thale cress, GO:3 on nine of each
    assert task.labels.isnan().view(-1).nonzero().view(-1).tolist() == [11, 23, 35]


@pytest.mark.parametrize(("name", "wanted", "chance"), [("yeast-ego", 0.314, 0.047), ("ppi-species", 0.359, 0.034)])
def test_real_networks_agree_with_go_and_no_sample_is_in_two_parts(real, name, wanted, chance):
    dataset = real(name)
    y, graph = dataset.task().labels, dataset.graph()
    assert graph.local_consistency(y) == pytest.approx(wanted, abs=1e-3)
    assert permuted(graph, y) == pytest.approx(chance, abs=4e-3)
    group = alike(dataset)
    parts = [set(group[ids].tolist()) for ids in dataset.task().split.values()]
    assert not (parts[0] & parts[1] or parts[0] & parts[2] or parts[1] & parts[2])


# citation-intent and stability ########################################################################################


def intent(*rows):
    lines = "".join(json.dumps({"text": text, "label": label, "metadata": {}}) + "\n" for text, label in rows)
    return {f"scibert/citation_intent/{part}.txt": lines for part in ("train", "dev", "test")}


def test_intent_has_the_given_split_and_no_graph(prepared):
    files = intent(("We use \u2028 [1]", "Uses"), ("As in [2]", "Background"))
    files["scibert/citation_intent/dev.txt"] = '{"text": "Later", "label": "Future"}\r\n'
    dataset = prepared("citation-intent", files)
    task = dataset.task("intent")
    assert task.classes == ["Background", "Future", "Uses"] and task.labels.tolist() == [2, 0, 1, 2, 0]
    assert {part: ids.tolist() for part, ids in task.split.items()} == {"train": [0, 1], "valid": [2], "test": [3, 4]}
    assert dataset.ids.to_pylist() == ["train-0", "train-1", "dev-0", "test-0", "test-1"]
    assert dataset.fetch(torch.tensor([0])) == [{"text": "We use \u2028 [1]"}]
    with pytest.raises(ValueError, match="'citation-intent' has no graph; make one with a constructor of sigraph"):
        dataset.graph()


@pytest.mark.parametrize(
    "line", ['{"text": "a"}', "plain", "[1]", '{"text": "", "label": "Uses"}', "", '{"text": 1, "label": "a"}']
)
def test_intent_line_that_is_none_is_named(prepared, line):
    files = intent(("We use [1]", "Uses"))
    files["scibert/citation_intent/test.txt"] += f"{line}\n"
    with pytest.raises(ValueError, match=r"test\.txt, line 2: "):
        prepared("citation-intent", files)


def test_real_intent_has_test_sentences_in_train(real):
    dataset = real("citation-intent")
    texts, split = dataset.samples["text"].to_pylist(), dataset.task().split
    train = {texts[i] for i in split["train"].tolist()}
    leaked = {part: sum(texts[i] in train for i in split[part].tolist()) for part in ("valid", "test")}
    assert leaked == {"valid": 43, "test": 52} and len(train) == 1688 - 418


def stability(content):
    return {f"protein_tasks/stability.{part}.csv": content for part in ("train", "valid", "test")}


def test_stability_has_the_given_split(prepared):
    files = stability("seq,label\nMKV,0.5\nNA,-1.25\n")
    files["protein_tasks/stability.valid.csv"] = "seq,label\r\nMKA,2\r\n"
    dataset = prepared("stability", files)
    task = dataset.task("stability")
    assert task.labels.tolist() == [0.5, -1.25, 2.0, 0.5, -1.25] and task.type == "regression"
    assert {part: ids.tolist() for part, ids in task.split.items()} == {"train": [0, 1], "valid": [2], "test": [3, 4]}
    assert dataset.fetch(torch.tensor([1, 2])) == [{"sequence": "NA"}, {"sequence": "MKA"}]  # a sequence, not missing
    assert task.metric == "spearman" and not dataset.graphs


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("seq,label\nMKV,\n", "needs a sequence and a label in every row"),
        ("seq,label\nMKV,nan\n", "needs a sequence and a label in every row"),
        ("seq,label\n,1.0\n", "needs a sequence and a label in every row"),
        ("seq,label\nMKV,high\n", r"needs columns 'seq' and 'label', the latter of numbers \("),
        ("sequence,label\nMKV,1.0\n", "needs columns 'seq' and 'label'"),
    ],
)
def test_stability_rows_that_are_none_are_refused(prepared, content, message):
    with pytest.raises(ValueError, match=message):
        prepared("stability", stability(content))


def test_real_stability_has_test_sequences_in_train(real):
    dataset = real("stability")
    sequences, split = dataset.samples["sequence"].to_pylist(), dataset.task().split
    train = {sequences[i] for i in split["train"].tolist()}
    assert sum(sequences[i] in train for i in split["test"].tolist()) == 26
    assert float(dataset.task().labels[split["test"]].mean()) == pytest.approx(1.002, abs=1e-3)
