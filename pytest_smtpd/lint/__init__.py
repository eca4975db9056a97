"""What a client does wrong even when all goes well: rules that are asked of the log, and their findings.

``table.RULES`` has one row for each rule. A run that does not ask for findings imports nothing of this.
"""
