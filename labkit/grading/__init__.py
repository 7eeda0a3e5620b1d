"""Grading: handed-in reports are read, checked anew, compared with each other and with the models themselves.

`grade` is the whole of it, top to bottom: `sources` are found, `reading` makes rows of them, `people` says whose each
is, `reproduce` has the models say it again, `similarity` compares, `gradebook` writes. Only `cli` imports it; nothing
of a report that it reads is run or rendered.
"""
