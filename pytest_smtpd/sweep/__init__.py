"""The sweep: run an application against every failure of its own dialogue, and judge what it makes of each."""
