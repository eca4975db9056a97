"""A sign-up service that sends mail. It knows nothing of the tests beside it, nor of what they use."""
