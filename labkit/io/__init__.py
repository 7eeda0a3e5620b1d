"""The ground floor: files that people bring, files written whole, errors, progress. It knows no photo or model."""
