"""Benchmarks: one file for each claim in BENCHMARKS.md. They are in the repository and not in the installed package."""
