"""The output of a pass: cells, sparse counts, stored events, the ledger; merged, viewed and saved."""
