"""The log-ratio of two densities, learned from events: NPLM and what fits it.

Two samples are compared by the likelihood of a flexible ratio of their densities (arXiv:2401.09530,
arXiv:1806.02350, arXiv:2204.02317). (A package called ``nplm`` would hide the function :func:`coffea_ddp.stats.nplm`.)
"""
