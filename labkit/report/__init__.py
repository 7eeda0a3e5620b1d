"""Reports: run a variant's notebook on the student's photos and export it as one page that needs no network.

`comparison` and `grading` build on it; it never imports torch.
"""
