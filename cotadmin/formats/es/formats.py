"""As in Chile: 14 abr 2026; 1.723. Django's own Spanish is that of Spain, with a space between thousands."""

MONTH_DAY_FORMAT = "j b"
SHORT_DATE_FORMAT = "j b Y"
YEAR_MONTH_FORMAT = "b Y"
THOUSAND_SEPARATOR = "."
