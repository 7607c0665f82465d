import { type ChildProcess, fork } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/* Starts three processes that share their fetches, counts their queries, and prints each result. */

const folder = await mkdtemp(join(tmpdir(), "parsec-"));
const urls = ["a", "b", "c"].map((name) => `unix:${folder}/${name}.sock`);

let queries = 0;
const nodes = urls.map((url) =>
  fork(new URL("./node.js", import.meta.url), {
    env: { SELF_URL: url, PEER_URLS: urls.join(",") },
  }).on("message", (message: object) => {
    if ("query" in message) queries++;
  }),
);
await Promise.all(nodes.map(answerOf));
console.log(`${nodes.length} processes are ready, each with a socket of its own`);

await getInEach(100);
console.log(`300 concurrent callers, 100 in each process: ${queries} query`);

nodes[0]?.send({ invalidate: "alice" });
console.log(`alice changed: invalidated in ${await answerOf(nodes[0])} processes`);

await getInEach(100);
console.log(`300 callers again: ${queries} queries in all`);

await Promise.all(nodes.map(stop));
await rm(folder, { recursive: true });

async function getInEach(callers: number): Promise<void> {
  const answers = nodes.map(answerOf);
  for (const node of nodes) node.send({ get: callers });
  await Promise.all(answers);
}

/** The next answer of a process. */
function answerOf(node: ChildProcess | undefined): Promise<unknown> {
  return new Promise((resolve) => {
    const listen = (message: { readonly answer?: unknown }): void => {
      if (!("answer" in message)) return;
      node?.off("message", listen);
      resolve(message.answer);
    };
    node?.on("message", listen);
  });
}

function stop(node: ChildProcess): Promise<unknown> {
  const ended = new Promise((resolve) => node.once("exit", resolve));
  node.disconnect();
  return ended;
}
