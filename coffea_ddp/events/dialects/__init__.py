"""Names of other experiments' branches, as translations to NanoAOD's."""
