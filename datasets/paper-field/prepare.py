"""Titles of papers and their fields, from the splits of SciBERT."""

from sigraph.recipes.sentences import labelled_sentences


def prepare(files, card):
    """Records with ``text``, no graph, the task ``field`` with the given split."""
    return labelled_sentences(files, "scibert/mag", "field", ["macro_f1", "accuracy"], card.name)
