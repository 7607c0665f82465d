import { randomUUID } from "node:crypto";
import { describeOnServers, startTcpProxy } from "@parsec/nats-fixtures";
import { type RunningProgram, runProgram, waitForOutput } from "@parsec/program/testing";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { ask, get, type JsonAnswer, remove, set } from "../test/http-client.ts";
import { startHttpLoad } from "../test/http-load.ts";
import { createNodeCluster, type NodeCluster } from "../test/node-cluster.ts";
import { type NodeProgram, startNodeProgram } from "../test/node-program.ts";

let cluster: NodeCluster;

async function startThree(natsUrl: string): Promise<NodeCluster> {
  cluster = createNodeCluster({ natsUrl });
  await Promise.all(["a", "b", "c"].map((id) => cluster.start(id)));
  await cluster.settled();
  return cluster;
}

describeOnServers((server) => {
  afterEach(() => cluster.close());

  test("any node answers for any key, with its owner", async () => {
    await startThree(server.url);
    const [first, second, third] = [...cluster.nodes.values()].map(({ url }) => url) as [
      string,
      string,
      string,
    ];
    for (let at = 0; at < 20; at++) {
      const key = `user:${at}`;
      const owners = await Promise.all(
        [first, second, third].map((url) => ask(`${url}/owner?key=${key}`)),
      );
      const [owner] = owners.map(({ body }) => (body as { owner: string }).owner);
      for (const { body } of owners) expect(body).toMatchObject({ key, owner });
      expect(owners.filter(({ body }) => (body as { is_local: boolean }).is_local)).toHaveLength(1);
      expect((await set(first, key, "Alice")).body).toEqual({ success: true, node: owner });
      expect((await get(second, key)).body).toEqual({ found: true, value: "Alice", node: owner });
      expect((await remove(third, key)).body).toEqual({ deleted: true, node: owner });
      expect((await get(first, key)).body).toEqual({ found: false, node: owner });
    }
    const stats = await cluster.stats();
    const shares = stats.map(({ partition_count: share }) => share).sort();
    expect(shares).toEqual([21, 21, 22]);
    expect(stats.flatMap(({ partitions }) => partitions).sort()).toHaveLength(64);
    expect(stats.filter(({ ring }) => ring.is_coordinator)).toHaveLength(1);
  });

  test("any node accepts large values and lifetimes", async () => {
    await startThree(server.url);
    const urls = [...cluster.nodes.values()].map(({ url }) => url);
    const value = "ü".repeat(512 * 1024);
    for (const url of urls) {
      expect((await set(url, "large", value)).status).toBe(200);
      for (const other of urls) expect((await get(other, "large")).body).toMatchObject({ value });
    }
    await Promise.all(urls.map((url, at) => set(url, `brief:${at}`, "x", 1)));
    await expect
      .poll(async () => {
        const answers = await Promise.all(urls.map((url, at) => get(url, `brief:${at}`)));
        return answers.map(({ status }) => status);
      })
      .toEqual([404, 404, 404]);
  });

  test("no data is lost when a node leaves, and a new one gets its share", async () => {
    cluster = createNodeCluster({ natsUrl: server.url });
    await Promise.all(["a", "b"].map((id) => cluster.start(id)));
    await cluster.settled();
    await cluster.fill(300);
    await cluster.start("c");
    await cluster.settled();
    expect(await cluster.missing(300)).toEqual([]);
    const entries = (await cluster.stats()).map((stats) => stats.entries);
    expect(entries.reduce((sum, each) => sum + each)).toBe(300);
    expect(Math.min(...entries)).toBeGreaterThan(0);
    for (const id of ["a", "b"]) {
      expect(await cluster.nodes.get(id)?.leave()).toBe(0);
      await cluster.settled();
      expect(await cluster.missing(300)).toEqual([]);
    }
    expect((await cluster.stats()).map((stats) => stats.entries)).toEqual([300]);
  });

  test("a leaving node answers requests until its end", async () => {
    await startThree(server.url);
    const node = cluster.nodes.get("a") as NodeProgram;
    const answers: JsonAnswer[] = [];
    const askOn = async (key: string): Promise<void> => {
      for (;;) {
        const answer = await set(node.url, key, "x").catch(() => undefined);
        if (answer === undefined) return; // The node has ended.
        answers.push(answer);
      }
    };
    const clients = Array.from({ length: 16 }, (_, at) => askOn(`busy:${at}`));
    await expect.poll(() => answers.length).toBeGreaterThan(200);
    expect(await node.leave()).toBe(0);
    await Promise.all(clients);
    expect(answers.filter(({ status }) => status !== 200).map(({ body }) => body)).toEqual([]);
  });

  test("no acknowledged write is lost when a node is killed", async () => {
    await startThree(server.url);
    await cluster.fill(300);
    // On a busy machine a backup may have answered too late, and is copied to again.
    await cluster.settled();
    await cluster.nodes.get("b")?.kill();
    // At once, before the others detect the crash: answers are late, but arrive.
    expect(await cluster.missing(300)).toEqual([]);
    await cluster.settled();
    await cluster.nodes.get("a")?.kill();
    await cluster.settled();
    expect(await cluster.missing(300)).toEqual([]);
    expect([...cluster.nodes.keys()]).toEqual(["c"]);
  });

  test("no acknowledged write is lost when nodes join, leave and are killed under load", async () => {
    await startThree(server.url);
    const load = startHttpLoad(cluster, 24);
    await load.acknowledged(500);
    await cluster.start("d");
    await cluster.settled();
    load.avoid("a");
    expect(await cluster.nodes.get("a")?.leave()).toBe(0);
    await cluster.settled();
    await load.acknowledged(500);
    // Until here all moves were planned.
    expect(load.takeFailures()).toEqual([]);
    await cluster.nodes.get("b")?.kill();
    await cluster.settled();
    await load.acknowledged(500);
    await load.stop();
    expect(await load.faults()).toEqual([]);
  });

  test("a second signal ends a node that cannot hand over", async () => {
    const proxy = await startTcpProxy(Number(new URL(server.url).port));
    onTestFinished(() => proxy.close());
    const { username, password } = new URL(server.url);
    const user = username === "" ? "" : `${username}:${password}@`;
    cluster = createNodeCluster({ natsUrl: proxy.url.replace("//", `//${user}`) });
    await Promise.all(["a", "b"].map((id) => cluster.start(id)));
    await cluster.settled();
    proxy.partition();
    const node = cluster.nodes.get("a");
    node?.program.kill("SIGTERM");
    await waitForOutput(node?.program as RunningProgram, /"msg":"stopping"/);
    // Signals in quick succession count as one Ctrl-C, so several are sent.
    const again = setInterval(() => node?.program.kill("SIGTERM"), 50);
    expect(await node?.program.ended).toBe(1);
    clearInterval(again);
  });

  test("nodes that are all stopped at once end by themselves, and say what is lost", async () => {
    cluster = createNodeCluster({ natsUrl: server.url, args: () => ["--leave-seconds", "1"] });
    await Promise.all(["a", "b", "c"].map((id) => cluster.start(id)));
    await cluster.settled();
    await cluster.fill(50);
    const all = [...cluster.nodes.values()];
    const codes = await Promise.all(all.map((node) => node.leave()));
    expect(codes).toContain(1);
    const output = all.map(({ program }) => program.stdout()).join("");
    expect(output).toContain("their entries are lost");
  });
});

describe("without a server", () => {
  test("a node listens, reports why it is not ready, and stops on a signal", async () => {
    const node = await startNodeProgram({
      args: ["-nats", "nats://user:secret@127.0.0.1:1", "-platform", randomUUID()],
      isJoined: false,
    });
    expect(await ask(`${node.url}/health`)).toMatchObject({
      status: 503,
      body: { status: "starting", node: "node-1" },
    });
    expect(await ask(`${node.url}/owner?key=a`)).toMatchObject({ status: 503 });
    expect((await ask(`${node.url}/ring`)).body).toMatchObject({ status: "starting", members: [] });
    await waitForOutput(node.program, /not a member of the ring yet/);
    expect(await node.leave()).toBe(0);
    expect(node.program.stdout()).not.toContain("secret");
  });
});

describe("the command line", () => {
  test.each([
    [["--help"], 0, /--partitions <count> .*\[PARSEC_PARTITIONS, 64\]/],
    [["-version"], 0, /^\d+\.\d+\.\d+\n$/],
    [
      ["--partition", "3"],
      2,
      /^cache-node: there is no flag --partition; did you mean --partitions\?\n$/,
    ],
    [["-http", "nowhere"], 2, /^cache-node: --http must be an address/],
    [["-nats", "embedded"], 2, /^cache-node: PARSEC_NATS_SERVER must be the path of a program/],
  ])("%j", async (args, code, output) => {
    const program = runProgram("node", { args, env: { PARSEC_NATS_SERVER: "/nowhere" } });
    expect(await program.ended).toBe(code);
    expect(code === 0 ? program.stdout() : program.stderr()).toMatch(output);
  });

  test("a port that is in use is named", async () => {
    const node = await startNodeProgram({ args: ["-nats", "none"] });
    const { port } = new URL(node.url);
    const second = runProgram("node", { args: ["-nats", "none", "-http", `127.0.0.1:${port}`] });
    expect(await second.ended).toBe(2);
    expect(second.stderr()).toBe(
      `cache-node: port ${port} is in use: choose another with --http\n`,
    );
    await node.kill();
  });
});
