"""gunicorn: two processes of eight threads, kept connections, code loaded before the fork."""

import os

wsgi_app = "courier.wsgi"
bind = [f"127.0.0.1:{os.environ.get('COURIER_PORT', '8000')}"]
worker_class = "gthread"
workers = 2
threads = 8
keepalive = 75
backlog = 512
preload_app = True
worker_tmp_dir = "/dev/shm"
accesslog = None
loglevel = "warning"
