#!/usr/bin/env bash
# The driver of a run whose workers are PBS jobs with a GPU each (`style: {device: cuda}` in the run file):
#
#   qsub -v RUN_FILE=my.yaml,PROFILE=configs/cluster/pbs-gpu.yaml jobs/pbs-gpu.sh
#
# It plans, submits worker jobs as the profile says, hands out units of work, replaces jobs that are lost, and
# cancels them at the end. It computes nothing itself, so one core does. Stopped by anything, submit it again: it
# continues where it stopped. `faket-dask plan my.yaml --cluster PROFILE.yaml` shows beforehand what it will submit.
# Compute nodes must be allowed to submit jobs; where they are not, run `faket-dask` itself on a login node.

#PBS -N faket-driver
#PBS -j oe
#PBS -l select=1:ncpus=1:mem=4gb
#PBS -l walltime=24:00:00
# The driver needs no GPU; the profile names the queue of the workers.
##PBS -q workq
##PBS -A my-project

set -euo pipefail

# PBS starts a job in the home folder, with none of the variables of the shell it was submitted from.
cd "${PBS_O_WORKDIR:-.}"
# source /path/to/.venv/bin/activate

run_file=${RUN_FILE:?"usage: qsub -v RUN_FILE=my.yaml[,PROFILE=profile.yaml] jobs/pbs-gpu.sh"}
profile=${PROFILE:-configs/cluster/pbs-gpu.yaml}

# `exec`, so that the signal which PBS sends at the end reaches the driver and not a shell that waits for it.
exec faket-dask run "$run_file" --cluster "$profile"
