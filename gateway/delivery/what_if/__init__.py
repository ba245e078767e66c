"""What would happen, with nothing stored: explaining, previewing, and recorded traffic under other rules."""
