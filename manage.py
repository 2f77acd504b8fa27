#!/usr/bin/env python
"""Django's command line for cotadmin: `python manage.py help` lists the commands."""

import os
import sys

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cotadmin.settings")
    try:
        from django.core.management import execute_from_command_line
    except ImportError:
        sys.exit("Django is not installed in this Python. Run 'make setup', then use .venv/bin/python manage.py …")
    from django.core.exceptions import ImproperlyConfigured

    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:  # a wrong setting, or no database: the reason says what to do
        sys.exit(f"manage.py: {error}")
