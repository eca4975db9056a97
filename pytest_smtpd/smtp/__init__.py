"""The protocol as a value: bytes in, events out, replies in, bytes out. No I/O, no clock, no threads in here."""
