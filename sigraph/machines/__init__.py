"""Where a training runs: processes and ranks, torchrun and Slurm, pools, trainers, how all of them end."""
