"""Data beside simulation: what samples of finite statistics lead to expect, and tests of data against it."""
