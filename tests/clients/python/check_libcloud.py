"""The Python library apache-libcloud.

It has no calls for migrations, so ours go through its own request functions.
"""

from urllib.parse import urlsplit

from libcloud.common.types import InvalidCredsError, ProviderError
from libcloud.compute.providers import get_driver
from libcloud.compute.types import NodeState, Provider, StorageVolumeState

from gateway import JOB_SECONDS, KEY, ODD_TEXTS, SECRET, UNKNOWN_ID, URL, Checks, Estate, holds, same


def driver(secret=SECRET):
    address = urlsplit(URL)
    options = {"secure": address.scheme == "https", "host": address.hostname, "port": address.port}
    made = get_driver(Provider.CLOUDSTACK)(KEY, secret, path=address.path, **options)
    made.connection.poll_interval = 0.2
    made.connection.timeout = JOB_SECONDS
    return made


def refused(kind, part, action):
    """The action must end with an error of this very kind, and this in its text."""
    try:
        answer = action()
    except Exception as error:
        if type(error) is not kind:
            raise
        holds(str(error), part)
        return error
    raise AssertionError(f"no error but {answer}")


def nodes(cloud, estate):
    """`list_nodes` needs lists of addresses and rules beside that of VMs, and fails as a whole without one of them."""
    for command in ("listPublicIpAddresses", "listPortForwardingRules", "listIpForwardingRules"):
        same(command, estate.call(command), {})
    found = {node.name: node for node in cloud.list_nodes()}
    same("nodes", set(found), {"db", "web", "mail", "files", "build", "archive"})
    running = {name for name, node in found.items() if node.state == NodeState.RUNNING}
    same("running", running, {"db", "web", "mail", "files", "build"})
    same("id", found["web"].id, estate.vm("web")["id"])


def main():
    checks = Checks("libcloud")
    cloud = driver()
    link = cloud.connection
    estate = Estate(lambda command, **parameters: link._sync_request(command=command, params=parameters))

    with checks.check("lists"):
        estate.expect_lists()
    with checks.check("list_locations"):
        same("zones", [zone.name for zone in cloud.list_locations()], ["demo"])
    with checks.check("list_volumes"):
        volumes = {volume.name: volume for volume in cloud.list_volumes()}
        same("volumes", len(volumes), 8)
        same("state", {volume.state for volume in volumes.values()}, {StorageVolumeState.INUSE})
        same("size in GB is a number", {type(volume.size) for volume in volumes.values()}, {int})
    with checks.check("list_nodes"):
        nodes(cloud, estate)
    with checks.check("odd characters are signed alike"):
        for odd in ODD_TEXTS:
            same(f"volumes called {odd}", estate.call("listVolumes", keyword=odd).get("count", 0), 0)
    for method in ("GET", "POST"):
        with checks.check(f"migrateVolume of a running VM ({method})"):
            volume, pool = estate.volume("ROOT-files"), estate.other_pool("ROOT-files")
            parameters = {"volumeid": volume["id"], "storageid": pool["id"], "livemigrate": "true"}
            answer = link._async_request(command="migrateVolume", params=parameters, method=method)
            same("pool", answer["volume"]["storageid"], pool["id"])
        with checks.check(f"migrateVirtualMachineWithVolume with a map ({method})"):
            vm, host, pairs = estate.other_cluster("build")
            parameters = {"virtualmachineid": vm["id"], "hostid": host["id"]}
            for at, pair in enumerate(pairs):
                parameters |= {f"migrateto[{at}].volume": pair["volume"], f"migrateto[{at}].pool": pair["pool"]}
            answer = link._async_request(command="migrateVirtualMachineWithVolume", params=parameters, method=method)
            same("host", answer["virtualmachine"]["hostid"], host["id"])
            estate.expect_pairs(pairs)
    with checks.check("an unknown id is refused"):
        refused(ProviderError, UNKNOWN_ID, lambda: estate.call("queryAsyncJobResult", jobid=UNKNOWN_ID))
        parameters = {"volumeid": UNKNOWN_ID, "storageid": UNKNOWN_ID}
        error = refused(ProviderError, UNKNOWN_ID, lambda: link._async_request("migrateVolume", params=parameters))
        same("HTTP status", error.http_code, 431)
    with checks.check("a job that fails says why"):
        volume = estate.volume("ROOT-db")
        parameters = {"volumeid": volume["id"], "storageid": volume["storageid"], "livemigrate": "true"}
        action = lambda: link._async_request(command="migrateVolume", params=parameters)
        refused(Exception, "already on the destination", action)
    with checks.check("a wrong secret is refused"):
        refused(InvalidCredsError, "Invalid provider credentials", lambda: driver("wrong").list_locations())
    checks.end()


if __name__ == "__main__":
    main()
