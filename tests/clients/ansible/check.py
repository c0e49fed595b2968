"""The Ansible collection `ngine_io.cloudstack`: plays moves.yml and turns its tasks into lines of checks.

usage: check.py PLAYBOOK_COMMAND COLLECTIONS_FOLDER
"""

import os
import pathlib
import re
import subprocess
import sys

from cs import CloudStack

HERE = pathlib.Path(__file__).resolve().parent
CLIENT = "ansible"
# A machine on shared storage, and hosts of its own cluster and of the other one.
VM = "db"


def estate():
    """Names of a host that can take the machine and of one that cannot."""
    env = os.environ
    cloud = CloudStack(endpoint=env["GATEWAY_URL"], key=env["GATEWAY_KEY"], secret=env["GATEWAY_SECRET"])
    vm = cloud.listVirtualMachines(name=VM)["virtualmachine"][0]
    hosts = cloud.listHosts(type="Routing")["host"]
    home = next(host for host in hosts if host["id"] == vm["hostid"])
    near = next(host for host in hosts if host["clusterid"] == home["clusterid"] and host["id"] != home["id"])
    far = next(host for host in hosts if host["clusterid"] != home["clusterid"])
    return {"VM_NAME": VM, "HOST_NAME": near["name"], "FAR_HOST_NAME": far["name"], "REASON": "cluster"}


def main(playbook, collections):
    quiet = {
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_NOCOLOR": "true",
    }
    command = [playbook, "-i", "localhost,", "-c", "local", "-e", f"ansible_python_interpreter={sys.executable}"]
    done = subprocess.run(
        [*command, str(HERE / "moves.yml")],
        env={**os.environ, **quiet, **estate()},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    failed = [part for part in done.stdout.split("\nTASK [") if "\nfatal: " in part]
    for name in re.findall(r"^    - name: (.+)$", (HERE / "moves.yml").read_text(), re.MULTILINE):
        part = next((part for part in done.stdout.split("\nTASK [") if part.startswith(f"{name}] ")), None)
        if part is not None and re.search(r"^(ok|changed): ", part, re.MULTILINE) and part not in failed:
            print(f"ok {CLIENT}: {name}")
        else:
            print(f"FAIL {CLIENT}: {name}: {' '.join((part or 'not reached').split())}")
    if done.returncode != 0:
        print(done.stdout)
    raise SystemExit(done.returncode)


if __name__ == "__main__":
    main(*sys.argv[1:])
