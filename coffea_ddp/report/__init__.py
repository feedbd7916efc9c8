"""The outcome of a scan as data: rows, their order, their files and how they are shown."""
