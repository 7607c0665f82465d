import { appendFile, readdir, readFile, rm, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { describeOnOneServer, systemNats } from "@parsec/nats-fixtures";
import { runProgram, waitForOutput } from "@parsec/program/testing";
import { afterEach, describe, expect, test } from "vitest";
import { ask, get, set } from "../test/http-client.ts";
import { startHttpLoad } from "../test/http-load.ts";
import { createNodeCluster, type NodeCluster } from "../test/node-cluster.ts";
import { startNodeProgram } from "../test/node-program.ts";
import { temporaryFolder } from "../test/temporary-folder.ts";

const ids = ["a", "b", "c"];

describeOnOneServer((server) => {
  let cluster: NodeCluster;
  afterEach(() => cluster.close());

  async function startAll(): Promise<void> {
    await Promise.all(ids.map((id) => cluster.start(id)));
    await cluster.settled();
  }

  async function startOnDisk(): Promise<void> {
    const folder = await temporaryFolder();
    cluster = createNodeCluster({
      natsUrl: server.url,
      args: (id) => ["--persist", join(folder, id)],
    });
    await startAll();
  }

  test.each([
    [
      "killed all at once",
      (all: NodeCluster) => [...all.nodes.values()].map((node) => node.kill()),
    ],
    [
      "all stopped at once",
      (all: NodeCluster) => [...all.nodes.values()].map((node) => node.leave()),
    ],
  ])("nodes that are %s have all data when they are started again", async (_how, end) => {
    await startOnDisk();
    await cluster.fill(300);
    for (let round = 0; round < 2; round++) {
      await Promise.all(end(cluster));
      await startAll();
      expect(await cluster.missing(300)).toEqual([]);
      const entries = (await cluster.stats()).map((stats) => stats.entries);
      expect(entries.reduce((sum, each) => sum + each)).toBe(300);
    }
    for (const { program } of cluster.nodes.values()) {
      expect(program.stdout()).not.toContain("all copies of a partition were lost");
    }
  });

  test("no acknowledged write is lost when a node, and then all nodes, are killed and restarted under load", async () => {
    await startOnDisk();
    const load = startHttpLoad(cluster, 24);
    for (const id of ["a", "b"]) {
      await load.acknowledged(300);
      await cluster.nodes.get(id)?.kill();
      await cluster.start(id);
      await cluster.settled();
    }
    await load.acknowledged(300);
    await Promise.all([...cluster.nodes.values()].map((node) => node.kill()));
    await load.stop();
    await startAll();
    expect(await load.faults()).toEqual([]);
  });

  test("a node with damaged data takes the copies of others", async () => {
    const folder = await temporaryFolder();
    cluster = createNodeCluster({
      natsUrl: server.url,
      args: (id) => ["--persist", join(folder, id)],
    });
    await Promise.all(["a", "b"].map((id) => cluster.start(id)));
    await cluster.settled();
    await cluster.fill(300);
    await Promise.all([...cluster.nodes.values()].map((node) => node.kill()));
    const partitions = join(folder, "a", "partitions");
    for (const name of await readdir(partitions)) {
      const path = join(partitions, name);
      const [file = ""] = (await readdir(path)).filter((each) => /\d\.(log|snapshot)$/.test(each));
      if (Number(name) % 2 === 0) await truncate(join(path, file), 0);
      else if (Number(name) % 5 === 0) await rm(join(path, file));
    }
    await Promise.all(["a", "b"].map((id) => cluster.start(id)));
    await cluster.settled();
    expect(await cluster.missing(300)).toEqual([]);
    const node = cluster.nodes.get("a");
    expect(node?.program.stdout()).toContain("is damaged");
    expect((await ask(`${node?.url}/health/ready`)).status).toBe(200);
  });

  test("nodes that are stopped in sequence have all data when they are started in reverse order", async () => {
    await startOnDisk();
    await cluster.fill(300);
    for (const id of ids) expect(await cluster.nodes.get(id)?.leave()).toBe(0);
    // The node that was stopped last has all data; the others wait for it.
    for (const id of ids) await cluster.start(id);
    await cluster.settled();
    expect(await cluster.missing(300)).toEqual([]);
  });
});

describe("a single node", () => {
  const alone = (folder: string) => ["-nats", "none", "--persist", folder];

  test("has its data after a restart, except entries that expired meanwhile", async () => {
    const folder = await temporaryFolder();
    const first = await startNodeProgram({ args: alone(folder) });
    await set(first.url, "no expiry", "1");
    await set(first.url, "for long", "2", 1000);
    await set(first.url, "for short", "3", 1);
    await first.kill();
    const second = await startNodeProgram({ args: alone(folder) });
    expect((await get(second.url, "no expiry")).body).toMatchObject({ value: "1" });
    expect((await get(second.url, "for long")).body).toMatchObject({ value: "2" });
    await expect.poll(async () => (await get(second.url, "for short")).status).toBe(404);
    expect(second.program.stdout()).not.toContain("lost");
    expect(await second.leave()).toBe(0);
    const third = await startNodeProgram({ args: alone(folder) });
    expect((await ask(`${third.url}/stats`)).body).toMatchObject({
      entries: 2,
      entries_with_ttl: 1,
    });
    const exposition = await (await fetch(`${third.url}/metrics`)).text();
    expect(exposition).toMatch(/^cache_disk_failures_total\{.*\} 0$/m);
    await third.kill();
  });

  test("cuts off an incomplete record with a warning, and refuses a folder of another node", async () => {
    const folder = await temporaryFolder();
    const first = await startNodeProgram({ args: alone(folder) });
    await set(first.url, "user:1", "Alice");
    await set(first.url, "user:1", "Bob");
    await expect(refusal(["--node", "node-1", ...alone(folder)])).resolves.toMatch(
      /^2 cache-node: --persist: the folder .* is in use by process \d+\n$/,
    );
    await first.kill();
    await expect(refusal(["--node", "other", ...alone(folder)])).resolves.toMatch(
      /^2 .* contains the data of another node: its node is "node-1", not "other"\n$/,
    );
    // The partition of user:1.
    const partition = join(folder, "partitions", "5");
    const [log = ""] = (await readdir(partition)).filter((name) => name.endsWith(".log"));
    const bytes = await readFile(join(partition, log));
    // The beginning of its first record, after the head.
    await appendFile(join(partition, log), bytes.subarray(33, 33 + 13));
    const second = await startNodeProgram({ args: alone(folder) });
    expect(second.program.stdout()).toMatch(/"bytes":13,.*was cut off/);
    expect((await get(second.url, "user:1")).body).toMatchObject({ value: "Bob" });
    await second.kill();
  });

  test("does not serve a partition whose only copy is damaged, and says where", async () => {
    const folder = await temporaryFolder();
    const first = await startNodeProgram({ args: alone(folder) });
    for (const key of ["user:1", "user:2"]) await set(first.url, key, "Alice");
    await first.leave();
    expect(await check(folder)).toMatchObject({
      code: 0,
      output: expect.stringMatching(/sound\n$/),
    });
    // The partition of user:1.
    const log = join(folder, "partitions", "5", "1.log");
    const bytes = await readFile(log);
    bytes.writeUInt8(bytes.readUInt8(10) ^ 1, 10);
    await writeFile(log, bytes);
    expect(await check(folder)).toMatchObject({
      code: 1,
      output: expect.stringMatching(/1\.log: damaged at byte 0: .*checksum/),
    });
    for (let start = 0; start < 2; start++) {
      const node = await startNodeProgram({ args: alone(folder) });
      await waitForOutput(node.program, /a partition is not served/);
      expect(node.program.stdout()).toMatch(/"partition":5,.*1\.log","offset":0,.*is damaged/);
      expect(await get(node.url, "user:1")).toMatchObject({
        status: 503,
        body: { code: "PEER_UNREACHABLE", error: expect.stringContaining("is damaged") },
      });
      expect((await get(node.url, "user:2")).status).toBe(200);
      expect(await ask(`${node.url}/health/ready`)).toMatchObject({
        status: 503,
        body: { status: "damaged", reason: expect.stringMatching(/^partitions 5 are not served/) },
      });
      const exposition = await (await fetch(`${node.url}/metrics`)).text();
      expect(exposition).toMatch(/^cache_disk_damaged_partitions\{.*\} 1$/m);
      await node.kill();
    }
    const [name = ""] = (await readdir(join(folder, "partitions"))).filter((each) =>
      each.startsWith("5."),
    );
    expect(await readFile(join(folder, "partitions", name, "1.log"))).toEqual(bytes);
  });

  test("works with an embedded nats-server, whose data is kept, too", async ({ skip }) => {
    const { program, missing } = systemNats;
    if (program === undefined) return skip(missing);
    const folder = await temporaryFolder();
    const args = ["-nats", "embedded", "--persist", folder];
    const env = { PARSEC_NATS_SERVER: program };
    const first = await startNodeProgram({ args, env });
    await set(first.url, "user:1", "Alice");
    expect(await first.leave()).toBe(0);
    const second = await startNodeProgram({ args, env });
    expect((await get(second.url, "user:1")).body).toMatchObject({ value: "Alice" });
    await second.kill();
    const third = await startNodeProgram({ args, env });
    expect((await get(third.url, "user:1")).body).toMatchObject({ value: "Alice" });
    expect(await third.leave()).toBe(0);
  });
});

async function check(folder: string): Promise<{ readonly code: unknown; readonly output: string }> {
  const program = runProgram("node", { args: ["check", folder] });
  return { code: await program.ended, output: program.stdout() };
}

/** Exit code and output of a node that does not start. */
async function refusal(args: readonly string[]): Promise<string> {
  const program = runProgram("node", { args: ["--http", "127.0.0.1:0", ...args] });
  return `${await program.ended} ${program.stderr()}`;
}
