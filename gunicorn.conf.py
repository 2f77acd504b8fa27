"""gunicorn's settings: its log formats, its worker, its request slots. gunicorn reads this file if started in this folder."""

import gunicorn.glogging

from cotadmin import settings
from cotadmin.log_formatters import FORMATTERS, AccessLogFormatter
from cotadmin.serving.turns import RequestSlots

INBOUND_PATHS = ("/webhooks/in/", "/in/", "/api/")  # see logs/urls.py; they have request slots of their own

worker_class = "cotadmin.serving.worker.PatientWorker"


class logger_class(gunicorn.glogging.Logger):  # the name of gunicorn's setting
    def setup(self, cfg) -> None:
        super().setup(cfg)
        for handler in self.error_log.handlers:
            handler.setFormatter(FORMATTERS[settings.LOG_FORMAT]())
        for handler in self.access_log.handlers:
            handler.setFormatter(AccessLogFormatter(self.access_fmt))


def post_worker_init(worker) -> None:
    from logs.stats.compaction import BacklogWatch  # not before Django is set up

    worker.backlog = BacklogWatch()
    worker.wsgi = RequestSlots(worker.wsgi, worker.cfg.threads, worker.tpool.watch, INBOUND_PATHS)


def post_request(worker, request, environ, response) -> None:
    worker.backlog.look()
