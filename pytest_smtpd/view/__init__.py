"""What a server saw, for the eye: a page without scripts, and the files beside it.

Pure functions lead from a log to the text of a page. Markup and styles are files of their own in ``templates``; what
goes into them is escaped there by its type, see ``templates.py``.
"""
