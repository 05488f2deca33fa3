#!/usr/bin/env bash
# A whole run in one Grid Engine job, on all slots of its allocation:
#
#   qsub jobs/sge-node.sh my.yaml
#
# As many workers are started as the job has slots for, whatever else the host has. Grid Engine does not tell a job how
# much memory it was given: write `cluster: {workers: …}` into the run file where that is less than the host's.
# Stopped by anything, submit it again: it continues where it stopped. For many hosts, use jobs/sge-cpu.sh.

#$ -N faket-dask
#$ -S /bin/bash
#$ -cwd
#$ -j y
#$ -l h_rt=24:00:00
# The parallel environment whose slots are cores of one host is called otherwise at some sites (`qconf -spl`):
#$ -pe smp 16
# A signal before the end, in time to let go of the data set:
#$ -notify
##$ -q all.q
##$ -P my-project

set -euo pipefail

# Whatever puts `faket-dask` on your PATH; Grid Engine starts a job with none of your shell's variables.
# source /path/to/.venv/bin/activate

run_file=${1:?"usage: qsub jobs/sge-node.sh RUN_FILE"}

# Grid Engine's signal before the end is SIGUSR2; the run stops in order at SIGTERM.
faket-dask run "$run_file" --cluster local &
driver=$!
trap 'kill -TERM "$driver"' USR2
wait "$driver" || wait "$driver"
