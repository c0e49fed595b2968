// What CloudStack's web UI does with the API, done by a browser: log in, keep cookies, list, move a disk, poll, log out.
// Each check is a line of the page, `ok ...` or `FAIL ...`.
const API = "/client/api";
const POLL_MS = 500;
const MOST_POLLS = 600;

const asked = new URLSearchParams(location.search);
let key = "";

function tell(line) {
  document.getElementById("checks").textContent += line + "\n";
}

async function check(name, action) {
  try {
    await action();
    tell(`ok browser: ${name}`);
  } catch (error) {
    tell(`FAIL browser: ${name}: ${error}`);
  }
}

function same(what, seen, expected) {
  if (JSON.stringify(seen) !== JSON.stringify(expected)) {
    throw new Error(`${what}: ${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`);
  }
}

/** A call as the UI makes it: the session's key in the query and, by the browser, in a cookie. */
async function call(command, parameters = {}) {
  const query = new URLSearchParams({ command, response: "json", sessionkey: key, ...parameters });
  const response = await fetch(`${API}?${query}`);
  const envelope = await response.json();
  return { status: response.status, inside: Object.values(envelope)[0] };
}

async function post(command, parameters) {
  const body = new URLSearchParams({ command, response: "json", ...parameters });
  const response = await fetch(API, { method: "POST", body });
  return { status: response.status, inside: Object.values(await response.json())[0] };
}

async function main() {
  await check("nothing is told without a session", async () => {
    same("status", (await call("listZones")).status, 401);
  });
  await check("a wrong password is refused", async () => {
    const login = await post("login", { username: "admin", password: "wrong", domain: "/" });
    same("status", login.status, 531);
  });
  await check("login", async () => {
    const login = await post("login", { username: "admin", password: asked.get("password"), domain: "/" });
    same("status", login.status, 200);
    key = login.inside.sessionkey;
    same("kind of account", login.inside.type, "1");
    // The key comes in the answer; the cookie with it is none of a script's business.
    same("a key that scripts can read", document.cookie.includes("sessionkey="), false);
  });
  await check("lists of the screens", async () => {
    for (const [command, object] of [["listZones", "zone"], ["listClustersMetrics", "cluster"], ["listHostsMetrics", "host"],
      ["listStoragePoolsMetrics", "storagepool"], ["listVirtualMachinesMetrics", "virtualmachine"],
      ["listVolumesMetrics", "volume"], ["listEvents", "event"], ["listInfrastructure", "infrastructure"]]) {
      const { status, inside } = await call(command, { listall: true, page: 1, pagesize: 20 });
      same(`status of ${command}`, status, 200);
      same(`${object} of ${command}`, inside[object] !== undefined, true);
    }
  });
  await check("a disk is moved from its dialog, and the job polled to its end", async () => {
    const { inside: { volume: volumes } } = await call("listVolumes", { listall: true, name: "ROOT-files" });
    const { inside: { storagepool: pools } } = await call("findStoragePoolsForMigration", { id: volumes[0].id });
    const pool = pools.find((one) => one.suitableformigration);
    const { inside: { jobid } } = await post("migrateVolume",
      { volumeid: volumes[0].id, storageid: pool.id, livemigrate: true, sessionkey: key });
    for (let polls = 0; polls < MOST_POLLS; polls += 1) {
      const { inside: job } = await call("queryAsyncJobResult", { jobId: jobid });
      if (job.jobstatus !== 0) {
        same("status of the job", [job.jobstatus, job.jobresult.errortext], [1, undefined]);
        same("pool", job.jobresult.volume.storageid, pool.id);
        return;
      }
      await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    }
    throw new Error("the job does not end");
  });
  await check("another site is told nothing and starts nothing", async () => {
    // The same gateway under another name is another site to a browser.
    const other = `http://localhost:${location.port}${API}`;
    let error = null;
    await fetch(`${other}?command=listZones&response=json&sessionkey=${encodeURIComponent(key)}`, { credentials: "include" })
      .catch((cause) => { error = cause; });
    same("an answer that may not be read", error instanceof TypeError, true);
  });
  await check("logout ends the session", async () => {
    same("status", (await call("logout")).status, 200);
    same("afterwards", (await call("listZones")).status, 401);
  });
  document.title = "done";
}

main();
