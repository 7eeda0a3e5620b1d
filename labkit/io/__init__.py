"""The ground floor: reading files that people bring, errors, progress.

It knows nothing of photos, models or masks, and everybody may import it.
"""
