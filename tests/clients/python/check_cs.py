"""The Python library `cs`, with GET and with POST."""

from cs import CloudStack, CloudStackApiException

from gateway import JOB_SECONDS, KEY, ODD_TEXTS, SECRET, UNKNOWN_ID, URL, Checks, Estate, holds, same


def refused(action, **parts):
    """Parts of the error that the action must end with."""
    try:
        answer = action()
    except CloudStackApiException as error:
        for name, part in parts.items():
            seen = error.error[name]
            holds(seen, part) if isinstance(part, str) else same(name, seen, part)
        return error
    raise AssertionError(f"no error but {answer}")


def failed_job(action, code, part):
    """The job must end badly with this code, and this in its text."""
    error = refused(action, errorcode=code, errortext=part)
    job = error.response.json()["queryasyncjobresultresponse"]
    same("status and code of the job", (job["jobstatus"], job["jobresultcode"]), (2, code))


def main(method):
    checks = Checks(f"cs with {method}")
    cloud = CloudStack(
        endpoint=URL, key=KEY, secret=SECRET, method=method, poll_interval=0.2, job_timeout=JOB_SECONDS
    )
    estate = Estate(lambda command, **parameters: getattr(cloud, command)(**parameters))

    with checks.check("lists"):
        estate.expect_lists()
    with checks.check("pages"):
        ids = [volume["id"] for volume in cloud.listVolumes(fetch_list=True, pagesize=3)]
        same("ids without repetition", len(ids), len(set(ids)))
        same("volumes on all pages", len(ids), cloud.listVolumes()["count"])
    with checks.check("odd characters are signed alike"):
        for odd in ODD_TEXTS:
            same(f"volumes called {odd}", cloud.listVolumes(keyword=odd).get("count", 0), 0)
    with checks.check("without an expiry"):
        lasting = CloudStack(endpoint=URL, key=KEY, secret=SECRET, method=method, expiration=-1)
        same("zones", lasting.listZones()["count"], 1)
    with checks.check("migrateVolume of a running VM"):
        volume, pool = estate.volume("ROOT-files"), estate.other_pool("ROOT-files")
        answer = cloud.migrateVolume(volumeid=volume["id"], storageid=pool["id"], livemigrate=True, fetch_result=True)
        same("members of the result", list(answer), ["volume"])
        same("volume and pool", (answer["volume"]["id"], answer["volume"]["storageid"]), (volume["id"], pool["id"]))
        estate.expect_pairs([{"volume": volume["id"], "pool": pool["id"]}])
    for name in ("build", "mail"):
        with checks.check(f"migrateVirtualMachineWithVolume of {name} with a map"):
            vm, host, pairs = estate.other_cluster(name)
            answer = cloud.migrateVirtualMachineWithVolume(
                virtualmachineid=vm["id"], hostid=host["id"], migrateto=pairs, fetch_result=True
            )
            same("members of the result", list(answer), ["virtualmachine"])
            seen = (answer["virtualmachine"]["id"], answer["virtualmachine"]["hostid"])
            same("VM and host", seen, (vm["id"], host["id"]))
            same("state", estate.vm(name)["state"], "Running")
            estate.expect_pairs(pairs)
    with checks.check("findHostsForMigration"):
        hosts = cloud.findHostsForMigration(virtualmachineid=estate.vm("build")["id"])["host"]
        flags = {(type(one["requiresStorageMotion"]), type(one["suitableformigration"])) for one in hosts}
        same("types of the flags", flags, {(bool, bool)})
    with checks.check("an unknown volume is refused"):
        unknown = {"volumeid": UNKNOWN_ID, "storageid": estate.pool("c1-p1")["id"]}
        error = refused(lambda: cloud.migrateVolume(**unknown), errorcode=431, cserrorcode=9999, errortext=UNKNOWN_ID)
        same("HTTP status", error.response.status_code, 431)
    with checks.check("an unknown job is refused"):
        refused(lambda: cloud.queryAsyncJobResult(jobid=UNKNOWN_ID), errorcode=431, errortext=UNKNOWN_ID)
    with checks.check("a job that fails says why"):
        volume = estate.volume("ROOT-db")
        same_pool = {"volumeid": volume["id"], "storageid": volume["storageid"], "livemigrate": True}
        failed_job(lambda: cloud.migrateVolume(**same_pool, fetch_result=True), 431, "already on the destination")
        vm, host, _ = estate.other_cluster("db")
        out_of_reach = [{"volume": volume["id"], "pool": volume["storageid"]}]
        wrong_pool = {"virtualmachineid": vm["id"], "hostid": host["id"], "migrateto": out_of_reach}
        call = lambda: cloud.migrateVirtualMachineWithVolume(**wrong_pool, fetch_result=True)
        failed_job(call, 530, "does not have access to the storage pool")
    with checks.check("a wrong secret is refused"):
        stranger = CloudStack(endpoint=URL, key=KEY, secret="wrong", method=method)
        refused(stranger.listZones, errorcode=401, errortext="unable to verify user credentials")
    return checks.failed


if __name__ == "__main__":
    failures = [main(method) for method in ("get", "post")]
    raise SystemExit(any(failures))
