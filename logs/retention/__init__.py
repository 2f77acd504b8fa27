"""How long payloads and logs are kept: which of them are too old, and removing them while deliveries continue."""
