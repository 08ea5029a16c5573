"""Which settings a search tries next: a function of its space and of the trials before, drawn by Optuna."""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sigraph.config.search import Choices, Dimension, Space
from sigraph.files.random import keyed_seed

STARTUP = 10  # trials that are drawn at random; later ones from where the better of these lie
_KEY = 20_261_130  # of all draws: no arm's, no seed's
_AGAIN = 20  # draws of one trial, of which the first is taken that was not tried yet


def check_optuna() -> None:
    """Refuse to search where Optuna is not installed.

    Raises:
        ValueError: It is not; says what installs it.
    """
    try:
        import optuna  # noqa: F401
    except ImportError as error:
        raise ValueError(
            "settings are drawn by Optuna, which is not installed: pip install 'sigraph[search]'; runs with settings "
            "that a search chose before need none"
        ) from error


def next_settings(
    space: Space,
    keys: Sequence[str],
    stated: Mapping[str, Any],
    tried: Sequence[Mapping[str, Any]],
    greater_is_better: bool,
) -> dict[str, Any] | None:
    """What to try after some trials: always the same after the same ones, however often the search was interrupted.

    The first trial is what the file states, where that lies in the space. The first ten are drawn at random, and arms
    are given the same values of the keys that they have in common, so that no arm is luckier there than another. Later
    ones are drawn by a tree-structured Parzen estimator: from where the better trials lie rather than the others.
    Nothing is tried twice.

    Args:
        space: What may be drawn, of all keys of the experiment.
        keys: Those that are open for the arm.
        stated: What its settings, and the constructors' defaults, say of these, as far as they do.
        tried: Trials of these keys, in their order: ``settings`` and ``valid``, None where one failed.
        greater_is_better: Of ``valid``.

    Returns:
        A value for each of ``keys``; None: all that there is was tried.

    Source: Bergstra et al., "Algorithms for hyper-parameter optimization", NeurIPS 2011; as Optuna has it.
    """
    done = {_text(trial["settings"]) for trial in tried}
    if len(done) >= num_settings(space, keys):
        return None
    number = len(tried)
    known = {key: value for key in keys if key in stated for value in space[key].like(stated[key])}
    if number == 0 and len(known) == len(keys):
        return known
    for again in range(_AGAIN):
        seed = keyed_seed(_KEY, number, again) >> 33
        drawn = _drawn(space, keys, tried, greater_is_better, seed, number < STARTUP)
        if _text(drawn) not in done:
            return drawn
    for again in range(_AGAIN, _AGAIN + 100 * int(min(num_settings(space, keys), 100_000))):
        drawn = _drawn(space, keys, (), greater_is_better, keyed_seed(_KEY, number, again) >> 33, True)
        if _text(drawn) not in done:
            return drawn
    return None


def num_settings(space: Space, keys: Sequence[str]) -> float:
    """How many different settings of some keys there are, ``inf`` for many."""
    return math.prod(space[key].size for key in keys)


def _drawn(
    space: Space,
    keys: Sequence[str],
    tried: Sequence[Mapping[str, Any]],
    greater_is_better: bool,
    seed: int,
    at_random: bool,
) -> dict[str, Any]:
    import optuna
    from optuna.trial import TrialState, create_trial

    made = {key: _distribution(one) for key, one in space.items()}
    sampler: optuna.samplers.BaseSampler = optuna.samplers.RandomSampler(seed=seed)
    if not at_random:
        made = {key: made[key] for key in keys}
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=1)
    with _quiet():
        ways = optuna.study.StudyDirection
        study = optuna.create_study(direction=ways.MAXIMIZE if greater_is_better else ways.MINIMIZE, sampler=sampler)
        for trial in tried if not at_random else ():
            failed = trial["valid"] is None  # counts as worse than any that ended
            study.add_trial(
                create_trial(
                    state=TrialState.PRUNED if failed else TrialState.COMPLETE,
                    value=None if failed else trial["valid"],
                    params={key: _known(space[key], trial["settings"][key]) for key in keys},
                    distributions={key: made[key] for key in keys},
                )
            )
        params = study.ask(made).params
    return {key: _value(space[key], params[key]) for key in keys}


def _distribution(one: Dimension) -> Any:
    from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution

    if isinstance(one, Choices):
        return CategoricalDistribution(list(range(len(one.values))))
    if one.whole:
        return IntDistribution(int(one.low), int(one.high), log=one.log, step=int(one.step or 1))
    return FloatDistribution(one.low, one.high, log=one.log, step=one.step)


def _known(one: Dimension, value: Any) -> Any:
    """What Optuna calls a value that was tried."""
    return one.place(value) if isinstance(one, Choices) else value


def _value(one: Dimension, drawn: Any) -> Any:
    return one.values[drawn] if isinstance(one, Choices) else one.rounded(drawn)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna says what it does; we do."""
    import optuna

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield
    finally:
        optuna.logging.set_verbosity(before)


def _text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, sort_keys=True)
