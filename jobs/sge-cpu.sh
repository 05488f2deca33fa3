#!/usr/bin/env bash
# The driver of a run whose workers are Grid Engine jobs of their own:
#
#   qsub jobs/sge-cpu.sh my.yaml [PROFILE.yaml]
#
# It plans, submits worker jobs as the profile says, hands out units of work, replaces jobs that are lost, and
# cancels them at the end. It computes nothing itself, so one core does. Stopped by anything, submit it again: it
# continues where it stopped. `faket-dask plan my.yaml --cluster PROFILE.yaml` shows beforehand what it will submit.
# Execution hosts must be submit hosts (`qconf -as HOST`); where they are not, run `faket-dask` itself on a login node.

#$ -N faket-driver
#$ -S /bin/bash
#$ -cwd
#$ -j y
#$ -l h_rt=24:00:00
#$ -l mem_free=4G
# A signal before the end, in time to cancel the workers and let go of the data set:
#$ -notify
##$ -q all.q
##$ -P my-project

set -euo pipefail

# Whatever puts `faket-dask` on your PATH; Grid Engine starts a job with none of your shell's variables.
# source /path/to/.venv/bin/activate

run_file=${1:?"usage: qsub jobs/sge-cpu.sh RUN_FILE [PROFILE]"}
profile=${2:-configs/cluster/sge-cpu.yaml}

# Grid Engine's signal before the end is SIGUSR2; the driver stops in order at SIGTERM.
faket-dask run "$run_file" --cluster "$profile" &
driver=$!
trap 'kill -TERM "$driver"' USR2
wait "$driver" || wait "$driver"
