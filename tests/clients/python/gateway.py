"""What the checks share: access to the gateway, a line per check, and where things can be moved.

The ids come from the gateway's own lists, by the names that the demonstration gives.
"""

import contextlib
import os
import traceback

URL = os.environ["GATEWAY_URL"]
KEY = os.environ["GATEWAY_KEY"]
SECRET = os.environ["GATEWAY_SECRET"]
# No migration of the demonstration takes nearly as long; a client that waits for ever shall end.
JOB_SECONDS = 60
UNKNOWN_ID = "00000000-0000-4000-8000-000000000000"

# Values that clients escape in different ways.
ODD_TEXTS = ("a b", "a+b", "a*b", "a'b(c)!", "é日", "a/b:c@d,e", "a%b&c=d")


class Checks:
    """Prints `ok` or `FAIL` for each check and remembers whether one failed."""

    def __init__(self, client):
        self.client = client
        self.failed = False

    @contextlib.contextmanager
    def check(self, what):
        """A check passes when its block ends without an exception."""
        try:
            yield
        except Exception as error:
            self.failed = True
            traceback.print_exc()
            text = " ".join(str(error).split())
            print(f"FAIL {self.client}: {what}: {type(error).__name__}: {text}", flush=True)
        else:
            print(f"ok {self.client}: {what}", flush=True)

    def end(self):
        raise SystemExit(1 if self.failed else 0)


def same(what, seen, expected):
    """Fails with both values when they differ."""
    if seen != expected:
        raise AssertionError(f"{what}: {seen!r} instead of {expected!r}")


def holds(text, part):
    """Fails when a text lacks a part."""
    if part not in text:
        raise AssertionError(f"{part!r} is not in {text!r}")


class Estate:
    """The demonstration's things. `call(command, **parameters)` gives the unwrapped answer."""

    def __init__(self, call):
        self.call = call

    def one(self, command, kind, name):
        """The one thing of that exact name."""
        found = [thing for thing in self.call(command, name=name).get(kind, []) if thing["name"] == name]
        same(f"{kind}s called {name}", len(found), 1)
        return found[0]

    def vm(self, name):
        return self.one("listVirtualMachines", "virtualmachine", name)

    def volume(self, name):
        return self.one("listVolumes", "volume", name)

    def host(self, name):
        return self.one("listHosts", "host", name)

    def pool(self, name):
        return self.one("listStoragePools", "storagepool", name)

    def other_pool(self, volume_name):
        """The other shared pool of the cluster: c1-p1 for c1-p2 and back."""
        cluster, _, pool = self.volume(volume_name)["storage"].partition("-")
        return self.pool(f"{cluster}-{'p2' if pool == 'p1' else 'p1'}")

    def other_cluster(self, vm_name):
        """Host of the other cluster and the pairs of volume and pool, with disks in the same kind of pool as now."""
        vm = self.vm(vm_name)
        swap = {"c1": "c2", "c2": "c1"}
        across = lambda name: swap[name[:2]] + name[2:]
        volumes = self.call("listVolumes", virtualmachineid=vm["id"])["volume"]
        pairs = [{"volume": one["id"], "pool": self.pool(across(one["storage"]))["id"]} for one in volumes]
        return vm, self.host(across(vm["hostname"])), pairs

    def expect_pairs(self, pairs):
        """Every volume is in the pool of its pair, and ready."""
        for pair in pairs:
            volume = self.call("listVolumes", id=pair["volume"])["volume"][0]
            same("pool and state", (volume["storageid"], volume["state"]), (pair["pool"], "Ready"))

    def expect_lists(self):
        """Everything that the demonstration made is listed."""
        for command, kind, names in (
            ("listZones", "zone", {"demo"}),
            ("listHosts", "host", {f"c{c}-h{h}" for c in (1, 2) for h in (1, 2, 3)}),
            ("listVirtualMachines", "virtualmachine", {"db", "web", "mail", "files", "build", "archive"}),
            ("listVolumes", "volume", {"ROOT-db", "ROOT-web", "DATA-web", "ROOT-mail", "DATA-mail"}),
            ("listStoragePools", "storagepool", {"c1-p1", "c1-p2", "c2-p1", "c2-p2", "c1-h1-local"}),
        ):
            answer = self.call(command)
            missing = names - {thing["name"] for thing in answer[kind]}
            same(f"missing in {command}", missing, set())
            same(f"count of {command}", answer["count"], len(answer[kind]))
