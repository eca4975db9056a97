"""Mistakes of clients that no failure shows: rules that read the log, and their findings.

``table.RULES`` has one row for each rule. A run that does not ask for findings imports nothing of this.
"""
