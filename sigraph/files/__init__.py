"""The ground: folders that are whole or not there, sums, keyed randomness, checks of arguments, what memory holds."""
