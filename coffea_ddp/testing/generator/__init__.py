"""The toy behind ``coffea_ddp.testing``: collision events from random numbers, without matrix elements.

``kinematics`` knows four-vectors, ``record`` the particles of many events, ``processes`` the Standard
Model, ``signals`` what is hidden in it, ``detector`` turns particles into reconstructed objects,
``branches`` names them as NanoAOD does, ``writing`` puts them into a file.
"""
