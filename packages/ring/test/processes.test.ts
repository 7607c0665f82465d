import { describeOnServers, describeWithPrograms } from "@parsec/nats-fixtures";
import type { BundledPrograms } from "@parsec/program/testing";
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { buildNodeProgram } from "./node-process.ts";
import { type ProcessCluster, startProcessCluster } from "./process-cluster.ts";
import { tamper } from "./tamper.ts";
import { until } from "./until.ts";

let program: BundledPrograms;
let cluster: ProcessCluster;
beforeAll(async () => {
  program = await buildNodeProgram();
});
afterAll(() => program.delete());
afterEach(() => cluster.close());

const ids = ["a", "b", "c"];

async function started(url: string): Promise<ProcessCluster> {
  cluster = await startProcessCluster(program, { servers: url });
  await Promise.all(ids.map((id) => cluster.start(id)));
  await cluster.settled();
  return cluster;
}

describeOnServers((server) => {
  it("loses no acknowledged write when nodes are killed one after the other under load", async () => {
    await started(server.url);
    const load = cluster.load(30);
    for (const id of ["a", "b"]) {
      await cluster.answered(300);
      const node = cluster.nodes.get(id);
      node?.kill("SIGKILL");
      await node?.ended;
      await cluster.settled();
      await cluster.start(id);
      await cluster.settled();
    }
    await load.stop();
    expect(await cluster.faults()).toEqual([]);
  }, 60_000);

  it("serves without an error while nodes leave and come back under load", async () => {
    await started(server.url);
    const load = cluster.load(30);
    for (const id of ids) {
      await cluster.answered(300);
      await cluster.nodes.get(id)?.leave();
      await cluster.settled();
      await cluster.start(id);
      await cluster.settled();
    }
    await load.stop();
    expect(await cluster.faults()).toEqual([]);
    expect(cluster.errors).toEqual([]);
  }, 60_000);

  it("a node that was stopped for longer than its lease serves no partition that others own by then", async () => {
    await started(server.url);
    const load = cluster.load(30);
    await cluster.answered(300);
    const node = cluster.nodes.get("a");
    node?.kill("SIGSTOP");
    await until(() => cluster.client.state().members.every(({ id }) => id !== "a"));
    await cluster.answered(300);
    node?.kill("SIGCONT");
    await cluster.settled();
    await cluster.answered(300);
    await load.stop();
    expect(await cluster.faults()).toEqual([]);
  }, 60_000);
});

describeWithPrograms((startServer) => {
  it("keeps every acknowledged write, with one owner at a time, through a restart of the server under load", async () => {
    const server = await startServer();
    await started(server.url);
    const load = cluster.load(30);
    await cluster.answered(300);
    await server.stop();
    await until(() => !cluster.client.state().leaseValid);
    await server.start();
    await cluster.answered(300);
    await cluster.settled();
    await load.stop();
    expect(await cluster.faults()).toEqual([]);
    for (const { events } of cluster.nodes.values())
      expect(events.join()).not.toContain('"lost":true');
    await cluster.close();
    await server.dispose();
  }, 60_000);

  it("keeps every acknowledged write when the bucket is deleted under load", async () => {
    const server = await startServer();
    await started(server.url);
    const load = cluster.load(30);
    await cluster.answered(300);
    const { incarnation } = cluster.client.state();
    await tamper(server.url, "delete");
    await until(() => cluster.client.state().incarnation !== incarnation);
    await cluster.answered(300);
    await cluster.settled();
    await load.stop();
    expect(await cluster.faults()).toEqual([]);
    await cluster.close();
    await server.dispose();
  }, 60_000);

  it("a third node joins under load without an error", async () => {
    const server = await startServer();
    cluster = await startProcessCluster(program, { servers: server.url });
    await Promise.all(["a", "b"].map((id) => cluster.start(id)));
    await cluster.settled();
    const load = cluster.load(30);
    await cluster.answered(300);
    await cluster.start("c");
    await cluster.settled();
    await cluster.answered(300);
    await load.stop();
    expect(await cluster.faults()).toEqual([]);
    expect(cluster.errors).toEqual([]);
    const owned = cluster.client.state().members.map((member) => member.owned);
    expect(owned.sort((left, right) => left - right)).toEqual([0, 10, 11, 11]);
    await cluster.close();
    await server.dispose();
  }, 60_000);
});
