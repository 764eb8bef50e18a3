"""Fuzzing: readers of files against mutants, each in a process that may hang, grow or crash."""
