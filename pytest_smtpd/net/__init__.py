"""Bytes and time: sockets, TLS, the event loop. It knows neither rules nor records, only the functions it is given."""
