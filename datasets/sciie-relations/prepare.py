"""Sentences with two marked entities and the relation between them, from the splits of SciBERT."""

from sigraph.recipes.sentences import labelled_sentences


def prepare(files, card):
    """Records with ``text``, no graph, the task ``relation`` with the given split."""
    return labelled_sentences(
        files, "scibert/sciie-relation-extraction", "relation", ["macro_f1", "accuracy"], card.name
    )
