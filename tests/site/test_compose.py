"""docker-compose.yml and the nginx files fit the code, and the same commands run without Docker."""

import asyncio
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import httpx
import psycopg
import pytest
import websockets
import yaml
from django.core.management import get_commands, load_command_class

from tests.site.processes import READY_WITHIN_S, Process, Server, manage, running
from tests.site.settings_of import ROOT, settings_variables, settings_with

NGINX = ROOT / "deploy" / "nginx"
DATABASE_URL, REDIS_URL = os.environ.get("DATABASE_URL", ""), os.environ.get("REDIS_URL", "")
OUR_IMAGE = "sessionsite:"
with_nginx = pytest.mark.skipif(not shutil.which("nginx"), reason="nginx is not installed")


@pytest.fixture(scope="module")
def services() -> dict:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


@pytest.fixture(scope="module")
def ours(services) -> dict:
    """The services that run this project's image."""
    return {name: each for name, each in services.items() if each["image"].startswith(OUR_IMAGE)}


def words_of(service: dict) -> list[str]:
    python, manage_py, *words = service["command"]
    assert (python, manage_py) == ("python", "manage.py")
    return words


# -- what the files say --------------------------------------------------------------------------------------


def test_there_are_two_web_workers_one_background_worker_and_their_services(services, ours):
    assert sorted(words_of(each)[0] for each in ours.values()) == ["serve", "serve", "worker"]
    assert {name: each["image"].split(":")[0] for name, each in services.items() if name not in ours} == {
        "nginx": "nginx",
        "postgres": "postgres",
        "redis": "redis",
    }


def test_every_command_exists_and_takes_its_options(ours):
    commands = get_commands()
    for service in ours.values():
        name, *options = words_of(service)
        load_command_class(commands[name], name).create_parser("manage.py", name).parse_args(options)


def test_every_variable_is_a_setting_and_makes_sense(ours, monkeypatch, tmp_path):
    for service in ours.values():
        given = service["environment"]
        assert set(given) <= set(settings_variables())
        filled = {
            name: re.sub(r"\$\{\w+(?::-([^}]*)|:\?[^}]*)\}", r"\1", text) for name, text in given.items()
        }
        found = settings_with(monkeypatch, tmp_path, **{**filled, "DATA_DIR": str(tmp_path)})
        assert found["DATABASES"]["default"]["HOST"] == "postgres"
        assert found["TRUST_PROXY"] is True


def test_the_loops_run_in_the_worker_alone(ours):
    for service in ours.values():
        is_worker = words_of(service)[0] == "worker"
        assert (service["environment"].get("BACKGROUND_LOOPS") == "0") is not is_worker


def test_nothing_is_killed_before_it_has_drained(ours):
    from sessionsite.stopping import OVER_AFTER_S

    for service in ours.values():
        assert float(service["stop_grace_period"].rstrip("s")) > OVER_AFTER_S


def test_volumes_and_mounted_files_exist(services):
    whole = yaml.safe_load((ROOT / "docker-compose.yml").read_text())
    for service in services.values():
        for mount in service.get("volumes", []):
            source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", mount).split(":")[0]
            assert (ROOT / source).exists() if source.startswith(".") else source in whole["volumes"], mount


def test_nginx_knows_the_web_workers_and_their_port(ours):
    upstream = set(re.findall(r"server ([\w-]+):(\d+)", (NGINX / "upstream.conf").read_text()))
    web = {name: words_of(each) for name, each in ours.items() if words_of(each)[0] == "serve"}
    assert upstream == {(name, words[words.index("--port") + 1]) for name, words in web.items()}


def test_nginx_sends_pictures_from_the_folder_the_server_writes(services, ours):
    locations = (NGINX / "locations.inc").read_text()
    prefix, alias = re.search(r"location (\S+) \{\s*internal;\s*alias (\S+);", locations).groups()
    assert f"media:{alias.rstrip('/')}:ro" in services["nginx"]["volumes"]
    for service in ours.values():
        assert service["environment"]["MEDIA_ACCEL_PREFIX"] == prefix
        assert "media:/data/media" in service["volumes"]
        assert service["environment"]["DATA_DIR"] == "/data"


def test_nginx_lets_bodies_through_that_the_server_takes(monkeypatch, tmp_path):
    mib = int(re.search(r"client_max_body_size (\d+)m;", (NGINX / "locations.inc").read_text())[1])
    assert mib * 1024 * 1024 > settings_with(monkeypatch, tmp_path)["MAX_BODY_BYTES"]


def test_the_image_holds_every_package_of_the_project():
    last_stage = (ROOT / "Dockerfile").read_text().rpartition("\nFROM ")[2]
    copied = set(re.findall(r"^COPY (\w+) \./\w+$", last_stage, re.MULTILINE))
    packages = {path.parent.name for path in ROOT.glob("*/apps.py")}
    assert copied == packages
    assert "COPY --from=native /app/native/built ./native/built" in last_stage


# -- the same commands without Docker ------------------------------------------------------------------------


@pytest.fixture
def database_url():
    """A fresh database on the server of DATABASE_URL."""
    address = urlsplit(DATABASE_URL)
    name = f"sessionsite_compose_{os.getpid()}"
    with psycopg.connect(urlunsplit(address._replace(path="/postgres")), autocommit=True) as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
        yield urlunsplit(address._replace(path=f"/{name}"))
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return free.getsockname()[1]


@contextmanager
def nginx_in_front(folder: Path, upstreams: dict[str, str], media: Path, site: str = "http.conf"):
    """(http port, https port) of an nginx that runs the files of deploy/, with the local addresses put in."""
    ports = free_port(), free_port()
    texts = {name: (NGINX / name).read_text() for name in ("upstream.conf", site, "locations.inc")}
    for name, address in upstreams.items():
        texts["upstream.conf"] = texts["upstream.conf"].replace(name, address)
    texts[site] = re.sub(r"    listen \[::\]:.*\n", "", texts[site])
    for port, local in zip(("80", "443"), ports, strict=True):
        texts[site] = texts[site].replace(f"listen {port} ", f"listen 127.0.0.1:{local} ")
    texts[site] = texts[site].replace("/etc/nginx/", f"{folder}/")
    texts["locations.inc"] = texts["locations.inc"].replace("/srv/media/", f"{media}/")
    texts["locations.inc"] = texts["locations.inc"].replace("/var/log/nginx/", f"{folder}/")
    for name, text in texts.items():
        (folder / name).write_text(text)
    user = "user root;\n" if os.geteuid() == 0 else ""
    paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy"))
    (folder / "nginx.conf").write_text(
        f"{user}daemon off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\nevents {{}}\nhttp {{\n"
        f"{paths}include {folder}/upstream.conf;\ninclude {folder}/{site};\n}}\n"
    )
    command = [shutil.which("nginx"), "-c", str(folder / "nginx.conf"), "-e", str(folder / "start.log")]
    child = subprocess.Popen(command)
    try:
        wait_for(f"http://127.0.0.1:{ports[0]}/healthz", child)
        yield ports
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(10)


def wait_for(address: str, child: subprocess.Popen) -> None:
    transport = httpx.HTTPTransport(retries=20)
    with httpx.Client(transport=transport, trust_env=False, timeout=READY_WITHIN_S) as client:
        answer = client.get(address)
    assert child.poll() is None
    assert answer.status_code in (200, 308), answer.text


@pytest.fixture
def stack(ours, database_url, tmp_path):
    """(address of nginx, token of an admin): the processes of the compose file, started as it says."""
    data_dir = tmp_path / "data"
    with ExitStack() as running_services:
        upstreams = {}
        shared = {"DATABASE_URL": database_url, "REDIS_URL": REDIS_URL, "CHANNEL_PREFIX": f"c{os.getpid()}"}
        for name, service in sorted(ours.items()):
            words = words_of(service)
            given = {
                k: v for k, v in service["environment"].items() if "$" not in v and not k.endswith("_URL")
            }
            more = {**given, **shared}
            more.pop("DATA_DIR")
            if words[0] == "serve":
                port = free_port()
                words[words.index("--port") + 1] = str(port)
                upstreams[f"{name}:8000"] = f"127.0.0.1:{port}"
            process = running_services.enter_context(running(Process, *words, data_dir=data_dir, **more))
            process.wait_for_line("Listening on|Working")
        folder = tmp_path / "nginx"
        folder.mkdir()
        ports = running_services.enter_context(nginx_in_front(folder, upstreams, data_dir / "media"))
        token = manage("create_token", "test", "--role", "admin", data_dir=data_dir, **shared).strip()
        yield f"http://127.0.0.1:{ports[0]}", token


@pytest.mark.server
@pytest.mark.postgres
@pytest.mark.redis
@pytest.mark.skipif(not (DATABASE_URL and REDIS_URL), reason="DATABASE_URL and REDIS_URL are not set")
@with_nginx
def test_the_stack_works_from_start_to_picture(stack, jpeg):
    url, token = stack
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=url, headers=headers, trust_env=False, timeout=20) as http:
        assert http.post("/api/v1/monitors/", json={"slug": "cam-1", "name": "Camera"}).status_code == 201
        asyncio.run(see_the_start_from_both_workers(url, http, headers))
        added = http.post(
            "/api/v1/monitors/cam-1/images/", content=jpeg, headers={"Content-Type": "image/jpeg"}
        )
        assert added.status_code == 201, added.text
        for kind in ("file_url", "thumbnail_url"):
            sent = http.get(added.json()[kind])
            assert sent.status_code == 200
            assert "x-accel-redirect" not in sent.headers
            assert sent.headers["content-type"].startswith("image/")
        assert http.get(added.json()["file_url"]).content == jpeg
        assert http.get("/protected-media/").status_code == 404
        assert http.get("/metrics").status_code == 404
        assert httpx.get(url + added.json()["file_url"], trust_env=False).status_code == 401
        refused = http.post("/api/v1/monitors/cam-1/images/", content=b"0" * (33 * 1024 * 1024))
        assert refused.status_code == 413
        assert refused.json()["code"] == "body_too_large"


async def see_the_start_from_both_workers(url: str, http: httpx.Client, headers: dict) -> None:
    """Four sockets, spread by nginx over both workers, all see one start."""
    address = f"{url.replace('http', 'ws')}/ws/live/?topic=monitor:cam-1"
    async with asyncio.timeout(20):
        sockets = [await websockets.connect(address, additional_headers=headers) for _ in range(4)]
        for each in sockets:
            assert '"snapshot"' in await each.recv()
        answer = await asyncio.to_thread(http.post, "/api/v1/monitors/cam-1/start/")
        assert answer.status_code in (200, 201)
        for each in sockets:
            while '"running":true' not in (await each.recv()).replace(" ", ""):
                pass
            await each.close()


@pytest.fixture
def certificate(tmp_path) -> ssl.SSLContext:
    """A certificate for 127.0.0.1 in `nginx/certs`, and a client that trusts it alone."""
    folder = tmp_path / "nginx" / "certs"
    folder.mkdir(parents=True)
    key, cert = folder / "privkey.pem", folder / "fullchain.pem"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=test"]
    request += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(cert)]
    subprocess.run(request, check=True, capture_output=True)
    return ssl.create_default_context(cafile=str(cert))


@pytest.mark.server
@with_nginx
@pytest.mark.skipif(not shutil.which("openssl"), reason="openssl is not installed")
def test_behind_tls_cookies_are_secure_and_http_leads_to_https(certificate, tmp_path):
    folder, data_dir = tmp_path / "nginx", tmp_path / "data"
    with running(Server, data_dir=data_dir, TLS="1", TRUST_PROXY="1") as server:
        address = f"127.0.0.1:{server.port}"
        upstreams = {"web-1:8000": address, "web-2:8000": address}
        with nginx_in_front(folder, upstreams, data_dir / "media", "https.conf") as (http, https):
            page = httpx.get(f"http://127.0.0.1:{http}/login/?next=/", trust_env=False)
            assert (page.status_code, page.headers["location"]) == (308, "https://127.0.0.1/login/?next=/")
            with httpx.Client(
                base_url=f"https://127.0.0.1:{https}", verify=certificate, trust_env=False
            ) as me:
                page = me.get("/login/")
                assert page.status_code == 200
                assert "Secure" in page.headers["set-cookie"]
                assert page.headers["strict-transport-security"].startswith("max-age=31536000")
                form = {"username": "admin", "csrfmiddlewaretoken": me.cookies["csrftoken"]}
                form["password"] = (data_dir / "first-password").read_text().strip()
                me.headers["Referer"] = f"https://127.0.0.1:{https}/login/"
                assert me.post("/login/", data=form).status_code == 302
                assert me.get("/").status_code == 200
        # Past nginx, on plain http, nothing but the probes is answered.
        assert server.http.get("/login/").status_code == 301
        assert server.http.get("/readyz").status_code == 200
