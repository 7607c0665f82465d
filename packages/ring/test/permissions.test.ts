import { readFile } from "node:fs/promises";
import { describeWithPrograms } from "@parsec/nats-fixtures";
import { afterEach, expect, it } from "vitest";
import { createRing, type Ring } from "../src/index.ts";
import { createMapState } from "./map-state.ts";
import { until } from "./until.ts";

const rings: Ring[] = [];
afterEach(() => Promise.all(rings.splice(0).map((ring) => ring.close())));

/** The permissions that the README lists, for one node. */
async function permissionsOf(node: string): Promise<string> {
  const readme = await readFile(new URL("../README.md", import.meta.url), "utf8");
  const [, publish = "", subscribe = ""] =
    /publish:([\s\S]*?)subscribe:([\s\S]*?)```/.exec(readme) ?? [];
  const list = (text: string): string =>
    text
      .split(",")
      .map((subject) => subject.trim().replace("<platform>", "prod").replace("<node>", node))
      .map((subject) => JSON.stringify(subject))
      .join(", ");
  return `{ publish: [${list(publish)}], subscribe: [${list(subscribe)}] }`;
}

function ringOf(node: string, url: string): Ring {
  const servers = url.replace("//", `//${node}:pw@`);
  const state = createMapState();
  const ring = createRing({ platform: "prod", node, servers, partitions: 8, leaseMs: 900, state });
  rings.push(ring);
  return ring;
}

describeWithPrograms((startServer) => {
  it("needs no more than the permissions that the README lists", async () => {
    const users = await Promise.all(
      ["a", "b"].map(async (node) => {
        return `{ user: ${node}, password: pw, permissions: ${await permissionsOf(node)} }`;
      }),
    );
    const server = await startServer({
      config: `authorization { users: [ ${users.join(", ")} ] }`,
    });
    const [a, b] = ["a", "b"].map((node) => ringOf(node, server.url)) as [Ring, Ring];
    await Promise.all([a.start(), b.start()]);
    await until(() => [a, b].every((ring) => ring.state().owned.length === 4));
    await until(() => a.state().underReplicated === 0);
    for (let at = 0; at < 20; at++) await a.write(`key ${at}`, Buffer.from(`key ${at}=1`));
    await b.leave();
    await until(() => a.state().owned.length === 8);
    expect(a.state().lastError).toBeUndefined();
    await a.close();
    await server.dispose();
  }, 20_000);

  it("reports refused credentials without showing a password", async () => {
    const server = await startServer({ config: `authorization { user: a, password: other }` });
    const ring = ringOf("a", server.url);
    const failed = await ring.start().catch((error: unknown) => error);
    expect(failed).toMatchObject({ code: "UNAUTHENTICATED" });
    expect(JSON.stringify([ring.state(), String(failed)])).not.toContain("pw");
    await ring.close();
    await server.dispose();
  }, 20_000);
});
