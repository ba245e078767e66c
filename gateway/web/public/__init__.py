"""Pages that anyone may open who was given their address: the preference centre behind the links in messages."""
