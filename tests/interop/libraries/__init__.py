"""What mail libraries do wrong: each sends two mails, once for every failure of a mail server."""
