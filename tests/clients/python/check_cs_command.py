"""The command line of `cs`: what it prints and how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

from gateway import JOB_SECONDS, KEY, SECRET, UNKNOWN_ID, URL, Checks, Estate, holds, same

COMMAND = Path(sys.executable).with_name("cs")


def run(*arguments, secret=SECRET):
    """Exit code, parsed output, and what it complains of."""
    access = {"CLOUDSTACK_ENDPOINT": URL, "CLOUDSTACK_KEY": KEY, "CLOUDSTACK_SECRET": secret}
    done = subprocess.run(
        [COMMAND, *arguments], env=os.environ | access, capture_output=True, text=True, timeout=JOB_SECONDS
    )
    try:
        output = json.loads(done.stdout)
    except ValueError as error:
        raise AssertionError(f"no JSON but {done.stdout!r} {done.stderr!r}") from error
    return done.returncode, output, done.stderr


def good(*arguments):
    code, output, complaint = run(*arguments)
    same("exit code and complaint", (code, complaint), (0, ""))
    return output


def pairs_as_words(pairs):
    return [f"migrateto[{at}].{name}={pair[name]}" for at, pair in enumerate(pairs) for name in ("volume", "pool")]


def main():
    checks = Checks("cs command")
    estate = Estate(lambda command, **words: good(command, *(f"{name}={value}" for name, value in words.items())))

    with checks.check("lists"):
        estate.expect_lists()
    for options in ([], ["--post"]):
        way = " ".join(options) or "GET"
        with checks.check(f"migrateVolume waits ({way})"):
            volume, pool = estate.volume("ROOT-files"), estate.other_pool("ROOT-files")
            words = (f"volumeid={volume['id']}", f"storageid={pool['id']}", "livemigrate=true")
            same("pool", good(*options, "migrateVolume", *words)["volume"]["storageid"], pool["id"])
        with checks.check(f"migrateVirtualMachineWithVolume with a map ({way})"):
            vm, host, pairs = estate.other_cluster("build")
            words = (f"virtualmachineid={vm['id']}", f"hostid={host['id']}", *pairs_as_words(pairs))
            answer = good(*options, "migrateVirtualMachineWithVolume", *words)
            same("host", answer["virtualmachine"]["hostid"], host["id"])
            estate.expect_pairs(pairs)
    with checks.check("--async gives the job only"):
        volume = estate.volume("ROOT-archive")
        words = (f"volumeid={volume['id']}", f"storageid={volume['storageid']}")
        answer = good("--async", "migrateVolume", *words)
        same("members of the answer", list(answer), ["jobid"])
    with checks.check("an unknown id is refused"):
        code, output, complaint = run("queryAsyncJobResult", f"jobid={UNKNOWN_ID}")
        same("exit code and errorcode", (code, output["queryasyncjobresultresponse"]["errorcode"]), (1, 431))
        holds(complaint, "HTTP 431 response from CloudStack")
    with checks.check("a job that fails says why"):
        volume = estate.volume("ROOT-db")
        code, output, _ = run("migrateVolume", f"volumeid={volume['id']}", f"storageid={volume['storageid']}")
        result = output["queryasyncjobresultresponse"]["jobresult"]
        same("exit code and errorcode", (code, result["errorcode"]), (1, 431))
        holds(result["errortext"], "already on the destination")
    with checks.check("a wrong secret is refused"):
        code, _, complaint = run("listVolumes", secret="wrong")
        same("exit code", code, 1)
        holds(complaint, "HTTP 401")
    checks.end()


if __name__ == "__main__":
    main()
