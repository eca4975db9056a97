"""Who answers: the first matching rule, else the hook, else what the RFC says."""
