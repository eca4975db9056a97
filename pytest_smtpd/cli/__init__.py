"""The server by hand: what the command line asks for, each conversation as it happens, and an orderly end.

Nothing here needs pytest.
"""
