"""The decisions: the first rule that matches, its hook function, or else the RFC."""
