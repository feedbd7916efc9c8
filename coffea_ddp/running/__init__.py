"""Running a plan over many files: chunks, executors, shards, and the accounting of every chunk."""
