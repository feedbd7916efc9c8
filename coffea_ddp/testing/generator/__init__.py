"""The toy behind ``coffea_ddp.testing``: collision events from random numbers, without matrix elements.

``kinematics`` knows four-vectors, ``record`` the particles of many events, ``processes`` the Standard
Model, ``signals`` what is hidden in it, ``detector`` turns particles into reconstructed objects,
``efficiencies`` describes how well leptons are found and ``detection`` applies that, ``branches`` names the objects as
NanoAOD does, ``writing`` puts them into a file.
"""
