"""Grading: handed-in reports are read, checked anew, compared with each other and with the models themselves."""
