"""Grading: handed-in reports are read, checked anew, compared with each other and with the models themselves.

Only `cli` imports it; nothing of a report that it reads is run or rendered.
"""
