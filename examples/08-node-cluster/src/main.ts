import cluster from "node:cluster";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import type { User } from "./worker.ts";

/* The primary: starts four workers behind one port and an origin that counts its queries, and prints each result. */

let role = "reader";
let queries = 0;
const origin = createServer((_request, response) => {
  queries += 1;
  response.end(JSON.stringify({ name: "Alice", role }));
});
origin.listen(0, "127.0.0.1");
await once(origin, "listening");

const url = await freeUrl();
cluster.setupPrimary({ exec: fileURLToPath(new URL("./worker.js", import.meta.url)) });
const env = { PARSEC_SELF_URL: url, ORIGIN_URL: urlOf(origin.address()) };
const workers = Array.from({ length: 4 }, () => cluster.fork(env));
await Promise.all(workers.map((worker) => once(worker, "listening")));
console.log(`${workers.length} workers are ready behind one port`);

const first = await askAll();
console.log(`200 concurrent requests, served by ${first.workers} workers: ${queries} query`);

role = "admin";
await fetch(`${url}/alice`, { method: "DELETE" });
const second = await askAll();
console.log(`alice became an admin: ${second.workers} workers return ${second.roles}`);
console.log(`${queries} queries so far`);

const [killed] = workers;
killed?.process.kill("SIGKILL");
if (killed !== undefined) await once(killed, "exit");
const third = await askAll();
console.log(`after one worker was killed, the other ${third.workers} return ${third.roles}`);

for (const worker of workers.slice(1)) worker.process.kill("SIGTERM");
origin.close();

/** Sends 200 requests, each over a connection of its own, which `node:cluster` gives to one worker after another. */
async function askAll(): Promise<{ readonly workers: number; readonly roles: string }> {
  const ids = new Set<string | null>();
  const roles = new Set<string>();
  const ask = async (): Promise<void> => {
    const answer = await fetch(`${url}/alice`, { headers: { connection: "close" } });
    ids.add(answer.headers.get("worker"));
    roles.add(((await answer.json()) as User).role);
  };
  await Promise.all(Array.from({ length: 200 }, ask));
  return { workers: ids.size, roles: [...roles].join(", ") };
}

/** A URL with a free port. */
async function freeUrl(): Promise<string> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const free = urlOf(server.address());
  await once(server.close(), "close");
  return free;
}

function urlOf(address: AddressInfo | string | null): string {
  return `http://127.0.0.1:${(address as AddressInfo).port}`;
}
