"""What a person says is on a photo, and how well a model agrees with it.

Notebooks, `labkit evaluate`, the lecture, grading and README's tables all score by it. `annotations` finds the ground
truth, which `labelme`, `coco` and `masks` read; `metrics` and `scores` measure.
"""
