"""What people say and want: consents and the ledger, leaving, answering, being forgotten, being told what is held."""
