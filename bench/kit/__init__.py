"""The parts of Loam's benchmark: processes, subjects, measuring, checking the ledger, reporting."""
