"""Bytes and time: sockets, TLS, timers. Nothing here knows of rules or logs, only of the functions that it is given."""
