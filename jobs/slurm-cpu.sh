#!/usr/bin/env bash
# The driver of a run whose workers are SLURM jobs of their own:
#
#   sbatch jobs/slurm-cpu.sh my.yaml [PROFILE.yaml]
#
# It plans, submits worker jobs as the profile says, hands out units of work, replaces jobs that are lost, and
# cancels them at the end. It computes nothing itself, so one core does. Stopped by anything, submit it again: it
# continues where it stopped. `faket-dask plan my.yaml --cluster PROFILE.yaml` shows beforehand what it will submit.

#SBATCH --job-name=faket-dask-driver
#SBATCH --output=faket-dask-driver-%j.log
#SBATCH --cpus-per-task=1
#SBATCH --mem=4G
#SBATCH --time=24:00:00
# Time enough before the limit to cancel the workers and let go of the data set:
#SBATCH --signal=B:TERM@120
##SBATCH --partition=cpu
##SBATCH --account=my-project

set -euo pipefail

# Whatever puts `faket-dask` on your PATH, unless it was there when you submitted this:
# source /path/to/.venv/bin/activate

run_file=${1:?"usage: sbatch jobs/slurm-cpu.sh RUN_FILE [PROFILE]"}
profile=${2:-configs/cluster/slurm-cpu.yaml}

# `exec`, so that the signal above reaches the driver and not a shell that waits for it.
exec faket-dask run "$run_file" --cluster "$profile"
