"""The WSGI application that gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from .encoding import read_as_utf_8
from .warm_up import warm_up

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "cotadmin.settings")
application = read_as_utf_8(get_wsgi_application())
warm_up()
