"""Opens, clicks and conversions: links that tell of them, and what comes of those who follow them."""
