"""conf/compose.yaml: what it says is what Compose knows and what its policy expects, and its layout, rebuilt in network
namespaces, holds what it promises. No container engine is needed."""

import ipaddress
import json
import re
import subprocess

from harness import Client, Origin, test
from harness.namespaces import Namespace, network
from harness.origin import reply
from harness.server import BINARY, ROOT, die_with_parent

FILE, POLICY = ROOT / "conf/compose.yaml", ROOT / "conf/compose.cfg"

# The keys of the Compose specification that may stand there: what is misspelt is ignored by some versions.
TOP = {"name", "services", "networks", "volumes"}
SERVICE = {"image", "restart", "ports", "networks", "volumes", "tmpfs", "read_only", "cap_drop", "cap_add", "security_opt",
           "pids_limit", "stop_grace_period", "healthcheck", "depends_on", "environment", "dns", "profiles", "entrypoint"}
HEALTH = {"test", "interval", "timeout", "start_period", "retries"}


def compose(t):
    try:
        import yaml
    except ImportError:
        t.skip("needs python3-yaml")
    return yaml.safe_load(FILE.read_text())


def address(compose, service):
    return compose["services"][service]["networks"]["inside"]["ipv4_address"]


def policy_text(name):
    return re.findall(name + r"\s*=\s*\(?([^;]*?)\)?;", POLICY.read_text(), re.S)[0]


def strings(text):
    return re.findall(r'"([^"]*)"', text)


@test
def its_keys_are_those_of_compose(t):
    said = compose(t)
    t.equal(set(said) - TOP, set(), "keys at the top")
    for name, service in said["services"].items():
        t.equal(set(service) - SERVICE, set(), f"keys of {name}")
        t.equal(set(service.get("healthcheck", {})) - HEALTH, set(), f"keys of the health check of {name}")
        for wanted in service.get("depends_on", {}):
            t.check(wanted in said["services"], f"{name} depends on {wanted}")
        for wanted in service["networks"]:
            t.check(wanted in said["networks"], f"{name} is on {wanted}")
    for volume in said["services"]["sallyport"]["volumes"]:
        source = volume.partition(":")[0]
        t.check(source in said["volumes"] or (FILE.parent / source).is_file(), f"{source} is there")


@test
def only_sallyport_has_a_way_out(t):
    said = compose(t)
    t.check(said["networks"]["inside"]["internal"] is True, "the inner network is internal")
    outside = [name for name, service in said["services"].items() if set(service["networks"]) - {"inside"}]
    t.equal(outside, ["sallyport"], "who is on a network with an exit")
    published = [name for name, service in said["services"].items() if service.get("ports")]
    t.equal(published, ["sallyport"], "who is published")
    t.check(not any("3128" in str(port) for port in said["services"]["sallyport"]["ports"]), "the gate is not")
    for name in ("sallyport", "check"):
        service = said["services"][name]
        t.equal((service["read_only"], service["cap_drop"], service["security_opt"]),
                (True, ["ALL"], ["no-new-privileges:true"]), f"what {name} may do")
        t.check("cap_add" not in service, f"{name} has no capability")
    t.equal({"NET_RAW", "NET_ADMIN"} - set(said["services"]["shop"]["cap_drop"]), set(), "what shop may not")


@test
def its_addresses_are_those_of_its_policy(t):
    said = compose(t)
    gate = f"{address(said, 'sallyport')}:3128"
    t.equal(strings(policy_text("proxy")), [gate], "egress.proxy")
    t.equal(strings(policy_text(r"egress = \{.*?origins")), [address(said, "shop"), address(said, "check")],
            "egress.origins")
    t.check(f'"http://{address(said, "shop")}:80"' in POLICY.read_text(), "the site's origin")
    environment = said["services"]["shop"]["environment"]
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"):
        t.equal(environment[name], f"http://{gate}", name)
    t.equal(said["services"]["check"]["entrypoint"][-2:], ["--proxy", f"http://{gate}"], "the check's gate")
    subnet = ipaddress.ip_network(said["networks"]["inside"]["ipam"]["config"][0]["subnet"])
    for name in said["services"]:
        t.check(ipaddress.ip_address(address(said, name)) in subnet, f"{name} is in {subnet}")


@test
def the_image_has_what_it_starts(t):
    said = compose(t)
    makefile, dockerfile = (ROOT / "Makefile").read_text(), (ROOT / "Dockerfile").read_text()
    version = re.search(r"^VERSION\s*:= (\S+)", makefile, re.M)[1]
    for name in ("sallyport", "check"):
        t.equal(said["services"][name]["image"], f"sallyport:{version}", f"image of {name}")
    test_of_image = re.search(r"^HEALTHCHECK .* CMD (\[.*\])$", dockerfile, re.M)[1]
    t.equal(said["services"]["sallyport"]["healthcheck"]["test"], ["CMD", *json.loads(test_of_image)], "health check")


@test
def its_policy_has_no_error(t):
    done = subprocess.run([BINARY, "check", "-c", POLICY], capture_output=True, text=True, timeout=20)
    t.equal(done.returncode, 0, f"exit status: {done.stdout}{done.stderr}")


# ---- the layout


class Layout:
    """The networks of compose.yaml: an internal one as a bridge without an address, and one with an exit."""

    def __init__(self, t, said):
        self.t = t
        network(t)  # skips where namespaces cannot be had
        self.machines = {}
        for name in ("bridge", "outside", *said["services"]):
            self.machines[name] = Namespace(name)
            t.later(self.machines[name].close)
        self.bridge, self.outside = self.machines["bridge"], self.machines["outside"]
        for machine in self.machines.values():
            machine.ip("link set lo up\n")
        self.bridge.ip("link add inside type bridge\nlink set inside up\n")
        for number, name in enumerate(said["services"]):
            self.bridge.ip(f"link add port{number} type veth peer name eth0 netns {self.machines[name].path}\n"
                           f"link set port{number} master inside up\n")
            self.machines[name].ip(f"addr add {address(said, name)}/24 dev eth0\nlink set eth0 up\n")
        self.outside.ip(f"link add eth0 type veth peer name eth1 netns {self.machines['sallyport'].path}\n"
                        "addr add 45.0.0.1/16 dev eth0\nlink set eth0 up\n")
        self.machines["sallyport"].ip("addr add 45.0.0.2/16 dev eth1\nlink set eth1 up\nroute add default via 45.0.0.1\n")
        for machine in self.machines.values():
            machine.until_up()
        with self.outside.inside():
            self.internet = Origin(host="45.0.0.1", port=80)
            t.later(self.internet.close)
        with self.machines["shop"].inside():
            self.shop = Origin(host="0.0.0.0", port=80)
            self.shop.on("*", reply(b"the shop"))
            t.later(self.shop.close)

    def start(self):
        """compose.cfg as it stands, but for where a test's files lie."""
        server = self.t.fresh_server(origins=[], start=False, before=self.machines["sallyport"].enter)
        own = "".join(f'{name} = {{ {", ".join(members)} }};\n' for name, members in {
            "process": [f'runtime = "{server.runtime}"; workers = 1;'],
            "log": [f'access = "{server.access_log}"; events = "{server.events_log}"; format = "json";'],
            "vault": [f'directory = "{server.directory}/vault";']}.items())
        text = POLICY.read_text().replace('"policy.d/worms.cfg"', f'"{ROOT}/conf/policy.d/worms.cfg"')
        server.file.write_text(own + text)
        server.address = ("45.0.0.2", 8080)
        server.start()
        return server

    def ask(self, machine, where, *request, **options):
        with self.machines[machine].inside():
            client = Client(where)
        self.t.later(client.close)
        return client.get(*request, **options)


@test
def its_layout_holds_what_it_promises(t):
    said = compose(t)
    layout = Layout(t, said)
    server = layout.start()
    gate = (address(said, "sallyport"), 3128)
    t.equal(layout.ask("outside", server.address, "/", host="shop.example").body, b"the shop", "a visitor's page")
    for target in ("http://45.0.0.1/", "http://169.254.169.254/", "http://172.30.0.1/", "http://127.0.0.1:8080/"):
        response = layout.ask("shop", gate, target, host=target.split("/")[2])
        t.equal(response.status, 403, f"status of {target} through the gate")
    t.equal(len(layout.internet.requests), 0, "what the internet saw")
    command = said["services"]["check"]["entrypoint"]
    with layout.machines["check"].inside():
        done = subprocess.run([BINARY, *command[1:], "--target", "45.0.0.1", "--timeout", "2s", "--json"],
                              capture_output=True, text=True, timeout=60, preexec_fn=die_with_parent)
    found = json.loads(done.stdout)
    t.equal((done.returncode, found["through"]), (0, 0),
            f"the check: {[each for each in found['tries'] if each['verdict'] == 'through']}")
    t.equal(len(layout.internet.requests), 0, "what the internet saw of it")
    stood = {entry["origin"]: entry for entry in json.loads(server.api("GET", "/api/egress").body)["origins"]}
    t.check(stood[address(said, "check")]["counters"]["gate_refused"] > 20, stood)
    t.equal(stood[address(said, "shop")]["stage"], "free", "shop pays nothing for it")
    t.equal(layout.ask("outside", server.address, "/", host="shop.example").status, 200, "a visitor's page afterwards")
