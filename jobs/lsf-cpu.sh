#!/usr/bin/env bash
# The driver of a run whose workers are LSF jobs of their own:
#
#   RUN_FILE=my.yaml PROFILE=configs/cluster/lsf-cpu.yaml bsub < jobs/lsf-cpu.sh
#
# It plans, submits worker jobs as the profile says, hands out units of work, replaces jobs that are lost, and
# cancels them at the end. It computes nothing itself, so one core does. Stopped by anything, submit it again: it
# continues where it stopped. `faket-dask plan my.yaml --cluster PROFILE.yaml` shows beforehand what it will submit.
# Not run on an LSF so far: tests check its text, and run it without one.

#BSUB -J faket-driver
#BSUB -o faket-driver-%J.log
#BSUB -n 1
#BSUB -W 24:00
# A signal two minutes before the limit, in time to cancel the workers and let go of the data set:
#BSUB -wa TERM -wt 2
##BSUB -q normal
##BSUB -P my-project

set -euo pipefail

# Whatever puts `faket-dask` on your PATH, unless it was there when you submitted this:
# source /path/to/.venv/bin/activate

run_file=${RUN_FILE:?"usage: RUN_FILE=my.yaml [PROFILE=profile.yaml] bsub < jobs/lsf-cpu.sh"}
profile=${PROFILE:-configs/cluster/lsf-cpu.yaml}

# `exec`, so that the signal above reaches the driver and not a shell that waits for it.
exec faket-dask run "$run_file" --cluster "$profile"
