"""The endpoints of services, what is put out to them, and what they have not taken yet."""
