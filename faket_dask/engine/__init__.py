"""Durable units of work: planned, computed by Dask workers, marked done on disk, resumed, followed and validated.

The engine knows nothing of tilt-series. A *pipeline* gives it stages, a *specification* says what they compute, and
everything else (plan, driver, markers, lock, events, resume, validation) is the same for any kind of work:

- `stage`, `pipeline`, `specification`: the protocols that a kind of work implements.
- `unit`, `marker`, `arrays`, `folder`: one unit of work, the record that it is done, and the files that it owns.
- `plan`, `completed`: all batches of units and which of them are done.
- `serial`, `driver` (with `queue`, `task_size`, `in_flight`, `worker`): two executors of a plan.
- `run`: a whole run with lock, disk-space check, provenance and events.
- `events`, `event_log`, `follow`, `status`, `validate`: how a run is seen, from inside and from outside.
"""
