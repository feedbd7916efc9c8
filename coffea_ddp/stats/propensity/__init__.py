"""Propensity: the expected share of side B of every event, from the kinematics of the leptons that are exchanged.

Real detectors find electrons and muons with different efficiencies. Given an event's leptons the label A or B is then
no fair coin, but still independent of all else: ``P(B | leptons) = e``. :mod:`~coffea_ddp.stats.propensity.basis` has
the terms of ``logit e``, :mod:`~coffea_ddp.stats.propensity.fit` fits them to the labels, and
:mod:`~coffea_ddp.stats.propensity.projection` takes the fit's uncertainty into a score.
"""
