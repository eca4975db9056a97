"""What a test asks the server to do: hook points, options and match keys of rules, and verdicts."""
