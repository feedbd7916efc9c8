"""Tests on events, not on bins.

Two samples are compared by the likelihood of a flexible ratio of their densities (NPLM: arXiv:2401.09530,
arXiv:1806.02350, arXiv:2204.02317), or by a classifier that tells them apart (arXiv:2203.07529).
"""
