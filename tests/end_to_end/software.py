"""Real software in images, as Debian packages it."""

from longshore.testing.debian import files_of
from longshore.testing.images import busybox_files
from longshore.testing.postgres import postgres_programs

PASSWD = b"root:x:0:0:root:/root:/bin/sh\npostgres:x:999:999::/var/lib/postgresql:/bin/sh\n"
GROUP = b"root:x:0:\npostgres:x:999:\n"
NGINX = b"""
daemon off; user root; pid /tmp/nginx.pid; error_log stderr;
events {}
http {
  access_log /dev/stdout; client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy;
  fastcgi_temp_path /tmp/fastcgi; uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server { listen 80; location / { return 200 "nginx says hello\\n"; } }
}
"""
NGINX_COMMAND = ["/usr/sbin/nginx", "-c", "/etc/nginx/nginx.conf"]
NGINX_PAGE = b"nginx says hello\n"
POSTGRES = postgres_programs()
POSTGRES_VERSION = POSTGRES.parent.name
NOT_OF_POSTGRES = ["llvmjit", "/bitcode/", "/pgxs/", "/zoneinfo/right/", "/tsearch_data/"]
POSTGRES_START = b"""#!/bin/sh
chown postgres /data
exec su -s /bin/sh postgres /serve
"""
POSTGRES_SERVE = f"""#!/bin/sh
set -e
export PATH={POSTGRES}:/bin
if [ ! -d /data/db ]; then
    rm -rf /data/new
    initdb --auth=trust --username=postgres -D /data/new
    echo 'host all all 0.0.0.0/0 trust' >> /data/new/pg_hba.conf
    mv /data/new /data/db
fi
exec postgres -D /data/db -c listen_addresses='*' -c jit=off -c unix_socket_directories=/tmp
"""
"""A server whose data, in /data, outlives it."""


def nginx_files():
    """What `NGINX_COMMAND` needs to answer on port 80 with `NGINX_PAGE`."""
    files = {**files_of(["nginx-light"], ["/usr/sbin/nginx"]), "/etc/nginx/nginx.conf": NGINX}
    empty = {"/var/log/nginx/.keep": b"", "/tmp/.keep": b""}
    return {**files, "/etc/passwd": PASSWD, "/etc/group": GROUP, **empty}


def postgres_image(cloud):
    """An image whose server answers on port 5432, without passwords; psql is in it too."""
    further = ["/bin/sh", f"{POSTGRES}/psql"]
    files = files_of([f"postgresql-{POSTGRES_VERSION}", "tzdata"], further, NOT_OF_POSTGRES)
    files |= {"/start": POSTGRES_START, "/serve": POSTGRES_SERVE.encode()}
    files |= {"/etc/passwd": PASSWD, "/etc/group": GROUP, "/tmp/.keep": b""}
    files |= busybox_files("chown", "df", "mv", "rm", "su")
    return cloud.image("postgres", files, {"Cmd": ["/start"]})
