import { randomUUID } from "node:crypto";
import { describeOnServers } from "@parsec/nats-fixtures";
import type { BundledPrograms } from "@parsec/program/testing";
import { afterAll, afterEach, beforeAll, expect, it, vi } from "vitest";
import { buildNodeProgram, type NodeProcess, startNodeProcess } from "./node-process.ts";
import { until } from "./until.ts";

vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });
const ids = ["a", "b", "c"];
const membership = { kv: { heartbeatMs: 200, silenceMs: 1500, joinDelayMs: 50 } };

let program: BundledPrograms;
beforeAll(async () => {
  program = await buildNodeProgram();
});
afterAll(() => program.delete());

const running: NodeProcess[] = [];
afterEach(() => {
  for (const node of running.splice(0)) node.kill("SIGKILL");
});

async function start(url: string, cluster: string, id: string): Promise<NodeProcess> {
  const node = await startNodeProcess(program, {
    servers: url,
    cluster,
    nodeId: id,
    membership,
  });
  running.push(node);
  return node;
}

async function startAll(url: string): Promise<[NodeProcess, NodeProcess, NodeProcess]> {
  const cluster = randomUUID();
  const nodes = await Promise.all(ids.map((id) => start(url, cluster, id)));
  await agree(nodes, ids);
  return nodes as [NodeProcess, NodeProcess, NodeProcess];
}

async function agree(nodes: readonly NodeProcess[], members: readonly string[]): Promise<void> {
  await until(async () => {
    const stats = await Promise.all(nodes.map((node) => node.stats()));
    return stats.every((each) => each.members.join() === members.join());
  });
}

const keysNamed = (name: string): string[] =>
  Array.from({ length: 60 }, (_, index) => `${name} ${index}`);

/** Gets the same new keys on all nodes; each must return the values, and together they load each key once. */
async function expectOneLoadEach(nodes: readonly NodeProcess[], name: string): Promise<void> {
  const keys = keysNamed(name);
  const answers = await Promise.all(nodes.map((node) => node.get(keys)));
  for (const answer of answers) expect(answer).toEqual(keys.map((key) => `value of ${key}`));
  const stats = await Promise.all(nodes.map((node) => node.stats()));
  const loaded = stats.flatMap(({ loads }) => loads).filter((key) => key.startsWith(name));
  expect(loaded.sort()).toEqual([...keys].sort());
}

describeOnServers((server) => {
  it("survives a killed node: no request fails, and the others take over its keys", async () => {
    const [first, second, third] = await startAll(server.url);
    await expectOneLoadEach([first, second, third], "before");
    third.kill("SIGKILL");
    const keys = keysNamed("meanwhile");
    const answers = await Promise.all([first.get(keys), second.get(keys)]);
    for (const answer of answers) expect(answer).toEqual(keys.map((key) => `value of ${key}`));
    await agree([first, second], ["a", "b"]);
    await expectOneLoadEach([first, second], "after");
    const { failed } = await first.invalidate("after 1");
    expect(failed).toEqual([]);
  });

  it("drops a stopped node, and takes it back when it continues", async () => {
    const [first, second, third] = await startAll(server.url);
    third.kill("SIGSTOP");
    const keys = keysNamed("meanwhile");
    const answers = await Promise.all([first.get(keys), second.get(keys)]);
    for (const answer of answers) expect(answer).toEqual(keys.map((key) => `value of ${key}`));
    await agree([first, second], ["a", "b"]);
    await expectOneLoadEach([first, second], "without");
    third.kill("SIGCONT");
    await agree([first, second, third], ids);
    await expectOneLoadEach([first, second, third], "again");
  });

  it("ends by itself after close: no timer, socket or subscription is left", async () => {
    const nodes = await startAll(server.url);
    for (const node of nodes) expect(await node.close()).toBe(0);
  });
});
