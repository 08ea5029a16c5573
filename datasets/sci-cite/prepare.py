"""Sentences that cite, of several fields, from the splits of SciBERT."""

from sigraph.recipes.sentences import labelled_sentences


def prepare(files, card):
    """Records with ``text``, no graph, the task ``intent`` with the given split."""
    return labelled_sentences(files, "scibert/sci-cite", "intent", ["macro_f1", "accuracy"], card.name)
