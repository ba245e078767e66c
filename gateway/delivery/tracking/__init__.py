"""What comes to be known of a message after it went."""
