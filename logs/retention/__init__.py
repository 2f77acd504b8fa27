"""How long payloads and logs are kept: which are past their time, and removing them while deliveries go on."""
