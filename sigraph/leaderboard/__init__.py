"""Runs compared: their records, statistics over seeds, tables, the form that OGB asks for. Imports no torch."""

from sigraph.leaderboard.leaderboard import Leaderboard

__all__ = ["Leaderboard"]
