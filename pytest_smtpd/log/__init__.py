"""The log of everything that happened, in order: queries, waits, transcripts, failure texts."""
