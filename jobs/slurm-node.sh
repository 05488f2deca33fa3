#!/usr/bin/env bash
# A whole run in one SLURM job, on all cores of its allocation:
#
#   sbatch jobs/slurm-node.sh my.yaml
#
# As many workers are started as the job has cores and memory for, whatever else the node has. Stopped by anything,
# submit it again: it continues where it stopped. For many nodes, use jobs/slurm-cpu.sh.

#SBATCH --job-name=faket-dask
#SBATCH --output=faket-dask-%j.log
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=16
#SBATCH --mem=60G
#SBATCH --time=24:00:00
# Time enough before the limit to let go of the data set:
#SBATCH --signal=B:TERM@60
##SBATCH --partition=cpu
##SBATCH --account=my-project
# For `style: {device: cuda}`, with one worker for each GPU:
##SBATCH --gres=gpu:1

set -euo pipefail

# Whatever puts `faket-dask` on your PATH, unless it was there when you submitted this:
# source /path/to/.venv/bin/activate

run_file=${1:?"usage: sbatch jobs/slurm-node.sh RUN_FILE"}

# `exec`, so that the signal above reaches the run and not a shell that waits for it.
exec faket-dask run "$run_file" --cluster local
