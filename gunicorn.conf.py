"""gunicorn reads this file by itself where it is started in this folder. Its messages are written as cotadmin's are."""

import gunicorn.glogging

from cotadmin import settings
from cotadmin.log_lines import FORMATTERS, AccessLines


class logger_class(gunicorn.glogging.Logger):  # the name of gunicorn's setting
    def setup(self, cfg) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(FORMATTERS[settings.LOG_FORMAT]())
        for handler in self.access_log.handlers:
            handler.setFormatter(AccessLines(self.access_fmt))


def post_request(worker, request, environ, response) -> None:
    from cotadmin.warm_up import tidy_up  # not before Django is set up

    tidy_up()
