#!/usr/bin/env bash
# A whole run in one PBS job, on all cores of its allocation:
#
#   qsub -v RUN_FILE=my.yaml jobs/pbs-node.sh
#
# As many workers are started as the job has cores for, whatever else the node has. PBS does not tell a job how much
# memory it was given: where it sets no limits (cgroups), write `cluster: {workers: …}` into the run file. Stopped by
# anything, submit it again: it continues where it stopped. For many nodes, use jobs/pbs-cpu.sh.

#PBS -N faket-dask
#PBS -j oe
#PBS -l select=1:ncpus=16:mem=60gb
#PBS -l walltime=24:00:00
##PBS -q workq
##PBS -A my-project

set -euo pipefail

# PBS starts a job in the home folder, with none of the variables of the shell it was submitted from.
cd "${PBS_O_WORKDIR:-.}"
# source /path/to/.venv/bin/activate

run_file=${RUN_FILE:?"usage: qsub -v RUN_FILE=my.yaml jobs/pbs-node.sh"}

# `exec`, so that the signal which PBS sends at the end reaches the run and not a shell that waits for it.
exec faket-dask run "$run_file" --cluster local
