"""Benchmarks of pytest_smtpd against the servers a user would pick instead, and against the limit."""
