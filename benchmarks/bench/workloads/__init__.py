"""The table of workloads: a module each."""

from bench.workloads import bdat, first, fixture, idle, imports, large, message, recorded, stop, throughput

WORKLOADS = (
    *fixture.WORKLOADS,
    *first.WORKLOADS,
    *message.WORKLOADS,
    *throughput.WORKLOADS,
    *large.WORKLOADS,
    *bdat.WORKLOADS,
    *idle.WORKLOADS,
    *imports.WORKLOADS,
    *recorded.WORKLOADS,
    *stop.WORKLOADS,
)
