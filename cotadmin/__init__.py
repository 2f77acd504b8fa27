"""cotadmin: the webhook log dashboard for companies on Cotalker."""

__version__ = "0.1.0"
