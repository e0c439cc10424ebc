"""Real web servers that serve one folder, as users have them: nginx, Apache httpd, Node, Tomcat."""

import os
import subprocess

from .check import Failure, eventually
from .history import ELSEWHERE, OTHER_TYPE, TYPES
from .server import die_with_parent, free_port, own_address
from .wire import Client

NGINX = """daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 64; }}
http {{ access_log off; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5; keepalive_requests 1000000;
server {{ listen {host}:{port}; root {root}; }} }}
"""

# Two trees (harness/tree.py): what came through nobody gets `scout`. A file of the same name in TREE.moved
# makes a redirect of it, one in TREE.typed gives it another type.
NGINX_TREES = """daemon off; master_process off; pid {dir}/nginx.pid; error_log {dir}/nginx.err;
events {{ worker_connections 512; }}
http {{ access_log off; client_body_temp_path {dir}/t1; proxy_temp_path {dir}/t2; fastcgi_temp_path {dir}/t3;
uwsgi_temp_path {dir}/t4; scgi_temp_path {dir}/t5; keepalive_requests 1000000;
types {{ {types} }} gzip on; gzip_min_length 1; gzip_proxied any; gzip_types *;
map $http_via $tree {{ "" scout; default visitors; }}
server {{ listen {host}:{port}; root {root}/$tree;
location / {{
  if (-f {root}/$tree.moved$uri) {{ return 302 {elsewhere}; }}
  if (-f {root}/$tree.typed$uri) {{ rewrite ^ /.typed$uri last; }}
}}
location /.typed/ {{ internal; types {{ }} default_type {other_type}; alias {root}/$tree/; }}
}} }}
"""

APACHE = """ServerRoot {dir}
ServerName localhost
PidFile {dir}/apache.pid
ErrorLog {dir}/apache.err
Listen {host}:{port}
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
DocumentRoot {root}
MaxKeepAliveRequests 0
KeepAliveTimeout 60
ServerLimit 1
StartServers 1
ThreadsPerChild 16
MaxRequestWorkers 16
<Directory {root}>
Require all granted
</Directory>
"""

# As Debian's apache2.conf and default site have it; both modules for it are built in.
APACHE_LOG = r"""LogFormat "%h %l %u %t \"%r\" %>s %O \"%{{Referer}}i\" \"%{{User-Agent}}i\"" combined
CustomLog {dir}/access.log combined
"""

NODE = """const http = require('http'), fs = require('fs'), path = require('path');
const root = %r;
http.createServer((request, response) => {
  let name;
  try {
    name = decodeURIComponent(new URL(request.url, 'http://site.example').pathname);
  } catch (error) {
    response.writeHead(400); return response.end();
  }
  if (name.includes('\\0')) { response.writeHead(400); return response.end(); }
  fs.readFile(path.join(root, name), (error, data) => {
    response.writeHead(error ? 404 : 200); response.end(error ? '' : data);
  });
}).listen(%d, %r);
"""

TOMCAT_SERVER = """<Server port="-1"><Service name="Catalina">
<Connector address="{host}" port="{port}" protocol="HTTP/1.1" URIEncoding="UTF-8" maxKeepAliveRequests="-1" maxThreads="8" minSpareThreads="2"/>
<Engine name="Catalina" defaultHost="localhost"><Host name="localhost" appBase="{dir}/none" autoDeploy="false" deployOnStartup="false">
<Context path="" docBase="{root}"/></Host></Engine></Service></Server>
"""

TOMCAT_WEB = """<web-app xmlns="https://jakarta.ee/xml/ns/jakartaee" version="6.0">
<servlet><servlet-name>default</servlet-name><servlet-class>org.apache.catalina.servlets.DefaultServlet</servlet-class></servlet>
<servlet-mapping><servlet-name>default</servlet-name><url-pattern>/</url-pattern></servlet-mapping></web-app>
"""


def _nginx(values, folder):
    (folder / "nginx.conf").write_text(NGINX.format(**values))
    return ["nginx", "-e", str(folder / "nginx.err"), "-c", str(folder / "nginx.conf")]


def _nginx_trees(values, folder):
    types = " ".join(f"{kind} {ending};" for ending, kind in TYPES.items())
    more = {"types": types, "elsewhere": ELSEWHERE, "other_type": OTHER_TYPE}
    (folder / "nginx.conf").write_text(NGINX_TREES.format(**values, **more))
    return ["nginx", "-e", str(folder / "nginx.err"), "-c", str(folder / "nginx.conf")]


def _apache(values, folder):
    (folder / "apache.conf").write_text(APACHE.format(**values))
    return ["apache2", "-X", "-f", str(folder / "apache.conf")]


def _nginx_logging(values, folder):
    """Each request in `access.log`, in the format that it has by default."""
    (folder / "nginx.conf").write_text(NGINX.replace("access_log off", "access_log {dir}/access.log combined").format(**values))
    return ["nginx", "-e", str(folder / "nginx.err"), "-c", str(folder / "nginx.conf")]


def _apache_logging(values, folder):
    (folder / "apache.conf").write_text((APACHE + APACHE_LOG).format(**values))
    return ["apache2", "-X", "-f", str(folder / "apache.conf")]


def _node(values, folder):
    (folder / "static.js").write_text(NODE % (str(values["root"]), values["port"], values["host"]))
    return ["node", str(folder / "static.js")]


def _tomcat(values, folder):
    home = "/usr/share/tomcat10"
    for name in ("conf", "none", "logs", "temp", "work"):
        (folder / name).mkdir()
    (folder / "conf/server.xml").write_text(TOMCAT_SERVER.format(**values))
    (folder / "conf/web.xml").write_text(TOMCAT_WEB)
    (folder / "conf/catalina.properties").write_text('common.loader="${catalina.home}/lib","${catalina.home}/lib/*.jar"\n')
    return ["java", "-Xmx128m", "-Dfile.encoding=UTF-8", "-Dsun.jnu.encoding=UTF-8", f"-Dcatalina.home={home}", f"-Dcatalina.base={folder}",
            f"-Djava.io.tmpdir={folder}/temp", "-cp", f"{home}/bin/bootstrap.jar:{home}/bin/tomcat-juli.jar",
            "org.apache.catalina.startup.Bootstrap", "start"]


KINDS = {"nginx": (_nginx, "/usr/sbin/nginx"), "apache": (_apache, "/usr/sbin/apache2"), "node": (_node, "/usr/bin/node"),
         "nginx, two trees": (_nginx_trees, "/usr/sbin/nginx"),
         "nginx, logging": (_nginx_logging, "/usr/sbin/nginx"), "apache, logging": (_apache_logging, "/usr/sbin/apache2"), "tomcat": (_tomcat, "/usr/share/tomcat10/bin/bootstrap.jar")}


class Peer:
    """One of KINDS, serving `root` on an address of its own."""

    def __init__(self, kind, root, folder):
        self.kind, self.client = kind, None
        self.address = (own_address(), free_port())
        values = {"dir": folder, "root": root, "host": self.address[0], "port": self.address[1]}
        self.output = open(folder / "output", "wb")
        self.process = subprocess.Popen(KINDS[kind][0](values, folder), stdin=subprocess.DEVNULL, stdout=self.output,
                                        stderr=self.output, preexec_fn=die_with_parent, cwd=folder,
                                        env=os.environ | {"LC_ALL": "C.UTF-8"})
        eventually(self._is_ready, lambda: f"{kind} is ready\n{(folder / 'output').read_text()[-2000:]}", 30.0)

    @property
    def url(self):
        return "http://%s:%d" % self.address

    @staticmethod
    def is_installed(kind):
        return os.path.exists(KINDS[kind][1])

    def _is_ready(self):
        if self.process.poll() is not None:
            raise Failure(f"{self.kind} ended with {self.process.returncode}")
        try:
            return self.opened(b"/") is not None
        except (OSError, Failure):
            return False

    def opened(self, target):
        """(status, content) of a GET, over one connection as long as the server keeps it."""
        for _ in range(2):
            try:
                if self.client is None or self.client.ended:
                    self.client = Client(self.address)
                self.client.send(b"GET " + target + b" HTTP/1.1\r\nHost: site.example\r\n\r\n")
                response = self.client.read_response()
                if (response.field("Connection") or "").lower() == "close":
                    self._hang_up()
                return response.status, response.body
            except (OSError, Failure):
                self._hang_up()
        raise Failure(f"{self.kind} does not answer {target!r}")

    def _hang_up(self):
        if self.client is not None:
            self.client.close()
        self.client = None

    def close(self):
        self._hang_up()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.output.close()
