"""From settings to results: parts, stages, one run, all of them, in one process or several."""
