"""What is known of people and addresses, the consent ledger, and how they are forgotten."""
