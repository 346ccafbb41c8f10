"""Real software in images, as Debian packages it."""

from longshore.testing.debian import files_of

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


def nginx_files():
    """What `NGINX_COMMAND` needs to answer on port 80 with `NGINX_PAGE`."""
    files = {**files_of(["nginx-light"], ["/usr/sbin/nginx"]), "/etc/nginx/nginx.conf": NGINX}
    empty = {"/var/log/nginx/.keep": b"", "/tmp/.keep": b""}
    return {**files, "/etc/passwd": PASSWD, "/etc/group": GROUP, **empty}
