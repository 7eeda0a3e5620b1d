"""The ground floor: files that people bring, files written whole, zips, run lengths, errors, progress.

It knows nothing of photos, models or masks, and everybody may import it.
"""
