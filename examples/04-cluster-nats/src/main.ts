import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

/* Starts nodes one after the other and an origin that counts its queries, and prints each result. */

const { NATS_URL = "nats://127.0.0.1:4222" } = process.env;

let queries = 0;
const origin = createServer((request, response) => {
  queries += 1;
  response.end(JSON.stringify({ name: `User ${request.url?.slice(1)}` }));
});
origin.listen(0, "127.0.0.1");
await once(origin, "listening");
const { port } = origin.address() as AddressInfo;

const first = await startNode("node-1");
const second = await startNode("node-2");
await agreeOn("node-1, node-2", [first, second]);

const ids = Array.from({ length: 100 }, (_, index) => String(index));
await Promise.all([ask(first, ids), ask(second, ids)]);
console.log(`getMany of the same ${ids.length} users on both nodes: ${queries} queries`);

const third = await startNode("node-3");
await agreeOn("node-1, node-2, node-3", [first, second, third]);
const { found } = await ask(third, ids);
console.log(`getMany on the new node: ${found} users`);

second.kill("SIGTERM");
await agreeOn("node-1, node-3", [first, third]);

for (const node of [first, third]) node.kill("SIGTERM");
origin.close();

async function startNode(id: string): Promise<ChildProcess> {
  const node = fork(new URL("./node.js", import.meta.url), {
    env: {
      NODE_ID: id,
      NATS_URL,
      PEER_SECRET: "a secret that all nodes share",
      ORIGIN_URL: `http://127.0.0.1:${port}`,
    },
  });
  node.once("exit", (code) => code !== 0 && process.exit(1)); // the node has printed the reason
  await once(node, "message");
  return node;
}

interface Answer {
  readonly found: number;
  readonly members: readonly string[];
}

async function ask(node: ChildProcess, wanted: readonly string[]): Promise<Answer> {
  node.send(wanted);
  const [answer] = (await once(node, "message")) as [Answer];
  return answer;
}

/** Waits until each node sees exactly these members. */
async function agreeOn(members: string, nodes: readonly ChildProcess[]): Promise<void> {
  for (const node of nodes) {
    while ((await ask(node, [])).members.join(", ") !== members) await wait(50);
  }
  console.log(`members: ${members}`);
}
