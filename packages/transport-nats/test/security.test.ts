import { randomUUID } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { connect, type NatsConnection } from "@nats-io/transport-node";
import type { PeerLookup } from "@parsec/core";
import { encodeInvalidations, hostSecret } from "@parsec/core/transport";
import { describeOnServers, describeWithPrograms } from "@parsec/nats-fixtures";
import {
  createManualClock,
  createScriptedHost,
  type ManualClock,
  type ScriptedHost,
} from "@parsec/testkit";
import { generate } from "selfsigned";
import { afterEach, describe, expect, it, vi } from "vitest";
import {
  createNatsPeers,
  type NatsPeers,
  type NatsPeersOptions,
  type NatsPeersWarning,
} from "../src/index.ts";
import { keysOf, quickMembership, startNodes, type TestNode } from "./nats-nodes.ts";
import { until } from "./until.ts";

vi.setConfig({ testTimeout: 30_000 });
const secret = "a secret for this test only";
const otherSecret = "the secret of another test";
const lookup: PeerLookup = {
  group: "g",
  key: "token:hunter2",
  input: Buffer.from("hunter2"),
  fence: 0,
  timeoutMs: 600_000,
};
const answer = { value: Buffer.from("v"), ttlMs: 1, fence: 0, ratePerMinute: 0 };

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Node {
  readonly peers: NatsPeers;
  readonly host: ScriptedHost;
  readonly warnings: NatsPeersWarning[];
}

interface Pair {
  readonly cluster: string;
  /** The clock of both; time passes only while a test lets it. */
  readonly clock: ManualClock;
  readonly asker: Node;
  readonly owner: Node;
  /** Sends a lookup; resolves with its outcome. */
  ask(over?: Partial<PeerLookup>): Promise<string>;
}

/** Two nodes with separate options. */
async function pair(
  url: string,
  options: {
    readonly asker?: Partial<NatsPeersOptions>;
    readonly owner?: Partial<NatsPeersOptions>;
  },
): Promise<Pair> {
  const cluster = randomUUID();
  const clock = createManualClock();
  const ids = ["asker", "owner"] as const;
  const [asker, owner] = ids.map((nodeId): Node => {
    const warnings: NatsPeersWarning[] = [];
    const peers = createNatsPeers({
      servers: url,
      cluster,
      nodeId,
      membership: { static: [...ids] },
      health: { failures: 1000 },
      clock,
      onWarning: (warning) => warnings.push(warning),
      ...options[nodeId],
    });
    cleanups.push(() => peers.close());
    const host = createScriptedHost();
    host.onLookup(() => answer);
    peers.attach(host);
    return { peers, host, warnings };
  }) as [Node, Node];
  await Promise.all([asker.peers.ready(), owner.peers.ready()]);
  const ask: Pair["ask"] = async (over = {}) => {
    try {
      await asker.peers.peers()[0]?.lookup({ ...lookup, ...over });
      return "answered";
    } catch (error) {
      const { code, message } = error as { code: string; message: string };
      return `${code} ${message}`;
    } finally {
      const told = JSON.stringify([
        asker.warnings,
        owner.warnings,
        asker.peers.stats(),
        owner.peers.stats(),
      ]);
      expect(told).not.toMatch(/hunter2|secret for|secret of/);
    }
  };
  return { cluster, clock, asker, owner, ask };
}

/** A foreign client on the server, which can read and publish all messages. */
async function stranger(url: string): Promise<NatsConnection> {
  const { username, password, host } = new URL(url);
  const client = await connect({
    servers: host,
    ...(username === "" ? {} : { user: username, pass: password }),
  });
  cleanups.push(() => client.close());
  return client;
}

interface Overheard {
  readonly subject: string;
  readonly reply: string;
  readonly data: Buffer;
}

async function overhear(client: NatsConnection, subject: string): Promise<Overheard[]> {
  const said: Overheard[] = [];
  client.subscribe(subject, {
    callback: (_error, message) => {
      const { subject: at, reply = "", data } = message;
      said.push({ subject: at, reply, data: Buffer.from(data) });
    },
  });
  await client.flush();
  return said;
}

describeOnServers((server) => {
  describe("a shared secret (I10)", () => {
    it.each<[string, Partial<NatsPeersOptions>, Partial<NatsPeersOptions>, string]>([
      ["both have it", { secret }, { secret }, "answered"],
      [
        "the owner accepts it, but signs with another",
        { secret },
        { secret: [otherSecret, secret] },
        "PEER_UNREACHABLE",
      ],
      [
        "both accept both",
        { secret: [secret, otherSecret] },
        { secret: [otherSecret, secret] },
        "answered",
      ],
      [
        "the requesting node has none",
        {},
        { secret: otherSecret },
        "PEER_UNREACHABLE owner refused a frame: UNAUTHENTICATED",
      ],
      ["the owner has none", { secret }, {}, "PEER_UNREACHABLE"],
      ["they have different ones", { secret }, { secret: otherSecret }, "PEER_UNREACHABLE"],
    ])("%s", async (_, asker, owner, expected) => {
      const nodes = await pair(server.url, { asker, owner });
      // Without an answer the peer is found dead, which takes time.
      const outcome =
        expected === "answered" ? await nodes.ask() : await nodes.clock.runUntil(nodes.ask());
      expect(outcome).toContain(expected);
      const served = nodes.owner.host.lookups.length;
      if (expected === "answered") expect(served).toBe(1);
      else {
        const refused = nodes.owner.peers.stats().refused + nodes.asker.peers.stats().refused;
        expect(refused).toBeGreaterThan(0);
      }
      // A message without a signature of the owner's secrets never reached its cache.
      const believed = [owner.secret ?? []].flat().includes(secret);
      expect(served).toBe(believed || owner.secret === undefined ? 1 : 0);
    });

    it("refuses a message in which any byte was changed", async () => {
      const nodes = await pair(server.url, { asker: { secret }, owner: { secret } });
      const client = await stranger(server.url);
      const asks = await overhear(client, `parsec.${nodes.cluster}.owner.ask`);
      expect(await nodes.ask()).toBe("answered");
      await until(() => asks.length === 1);
      const [{ subject, reply, data }] = asks as [Overheard];
      for (let index = 0; index < data.length; index++) {
        const tampered = Buffer.from(data);
        tampered[index] = (tampered[index] as number) ^ 1;
        client.publish(subject, tampered, { reply });
      }
      await until(() => nodes.owner.peers.stats().refused === data.length);
      expect(nodes.owner.host.lookups).toHaveLength(1);
      const warned = nodes.owner.warnings.filter(({ kind }) => kind === "refused");
      expect(warned).toHaveLength(1);
      expect(await nodes.ask()).toBe("answered");
    });

    it("refuses replays, and messages to another node", async () => {
      const nodes = await pair(server.url, { asker: { secret }, owner: { secret } });
      const client = await stranger(server.url);
      const asks = await overhear(client, `parsec.${nodes.cluster}.owner.ask`);
      await nodes.asker.peers
        .peers()[0]
        ?.invalidate({ group: "g", target: { kind: "all" }, fence: 1 }, { timeoutMs: 600_000 });
      await until(() => asks.length === 1);
      const [{ subject, reply, data }] = asks as [Overheard];
      client.publish(subject, data, { reply });
      await until(() => nodes.owner.peers.stats().refused === 1);
      client.publish(`parsec.${nodes.cluster}.asker.ask`, data, { reply });
      await until(() => nodes.asker.peers.stats().refused === 1);
      client.publish(subject, data, { reply: `${reply}1` });
      await until(() => nodes.owner.peers.stats().refused === 2);
      expect(nodes.owner.host.invalidations).toHaveLength(1);
      expect(nodes.asker.host.invalidations).toEqual([]);
    });

    it("refuses unsigned invalidations", async () => {
      const nodes = await pair(server.url, { asker: {}, owner: { secret } });
      const [peer] = nodes.asker.peers.peers();
      const call = peer?.invalidate(
        { group: "g", target: { kind: "all" }, fence: 1 },
        { timeoutMs: 600_000 },
      );
      await expect(nodes.clock.runUntil(call as Promise<void>)).rejects.toMatchObject({
        code: "PEER_UNREACHABLE",
      });
      expect(nodes.owner.host.invalidations).toEqual([]);
    });

    it("ignores forged answers, and accepts the owner's", async () => {
      const nodes = await pair(server.url, { asker: { secret }, owner: { secret } });
      const client = await stranger(server.url);
      let release = (): void => {};
      nodes.owner.host.onLookup(
        () =>
          new Promise((resolve) => {
            release = () => resolve(answer);
          }),
      );
      const asks = await overhear(client, `parsec.${nodes.cluster}.owner.ask`);
      const outcome = nodes.ask();
      await until(() => nodes.owner.host.lookups.length === 1 && asks.length === 1);
      const [{ reply, data }] = asks as [Overheard];
      const forged = Buffer.from(data);
      forged[2] = 2;
      client.publish(reply, forged);
      client.publish(reply, Buffer.from("garbage"));
      client.publish(reply, new Uint8Array(0));
      await client.flush();
      await until(() => nodes.asker.peers.stats().refused === 3);
      release();
      expect(await outcome).toBe("answered");
    });

    it("ignores members whose records are not signed", async () => {
      const cluster = await startNodes({ servers: server.url, ids: ["a", "b"], secret });
      const outsider = createNatsPeers({
        servers: server.url,
        cluster: cluster.name,
        nodeId: "outsider",
        membership: quickMembership,
      });
      cleanups.push(() => outsider.close());
      await outsider.ready();
      const [first] = cluster.nodes as [TestNode];
      await until(() => first.peers.stats().refused > 1);
      expect(first.peers.stats().members).toEqual(["a", "b"]);
      await cluster.close();
    });
  });

  it("answers only to reply subjects of its cluster", async () => {
    const nodes = await pair(server.url, {});
    const client = await stranger(server.url);
    const asks = await overhear(client, `parsec.${nodes.cluster}.owner.ask`);
    const heard = await overhear(client, "elsewhere.>");
    const other = await overhear(client, "parsec.other.>");
    expect(await nodes.ask()).toBe("answered");
    await until(() => asks.length === 1);
    const [{ subject, data }] = asks as [Overheard];
    for (const reply of ["elsewhere.x", "parsec.other.node.reply.s.1", `${subject}`]) {
      client.publish(subject, data, { reply });
    }
    await until(() => nodes.owner.peers.stats().refused === 3);
    expect(nodes.owner.host.lookups).toHaveLength(1);
    await client.flush();
    expect([...heard, ...other]).toEqual([]);
  });

  it("survives malformed messages, and goes on answering", async () => {
    const nodes = await pair(server.url, {});
    const client = await stranger(server.url);
    const subject = `parsec.${nodes.cluster}.owner.ask`;
    const reply = `parsec.${nodes.cluster}.nobody.reply.s.1`;
    const refusals = await overhear(client, reply);
    const asks = await overhear(client, subject);
    await nodes.ask();
    await until(() => asks.length === 1);
    const valid = (asks[0] as Overheard).data;
    const invalidations = encodeInvalidations(
      { frameId: 1, sender: 9, invalidations: [{ group: "g", target: { kind: "all" }, fence: 1 }] },
      {
        maxFrameBytes: 1e6,
        maxLookups: 9,
        maxGroupBytes: 99,
        maxKeyBytes: 99,
        maxInputBytes: 99,
        maxValueBytes: 9,
        maxInvalidationKeys: 9,
      },
    );
    const head = valid.subarray(0, 16);
    const garbage: Buffer[] = [
      Buffer.alloc(0),
      Buffer.from("GET / HTTP/1.1\r\n\r\n"),
      Buffer.from("{}"),
      Buffer.alloc(1000, 0xff),
      head,
      Buffer.concat([head, invalidations.subarray(0, 20)]),
      ...Array.from({ length: valid.length - 1 }, (_, length) => valid.subarray(0, length)),
      ...Array.from({ length: valid.length * 4 }, (_, index) => {
        const changed = Buffer.from(valid);
        changed[index % valid.length] = (index * 97) & 0xff;
        return changed;
      }),
    ];
    for (const bytes of garbage) client.publish(subject, bytes, { reply });
    await client.flush();
    await until(async () => (await nodes.ask()) === "answered");
    await until(() => refusals.length > garbage.length / 4);
    expect(nodes.owner.peers.stats().refused).toBeGreaterThan(garbage.length / 4);
    expect(JSON.stringify(nodes.owner.warnings)).not.toContain("hunter2");
  });
});

describeWithPrograms((startServer) => {
  it("refuses a server on another machine that accepts clients without credentials", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const elsewhere = async (): Promise<NatsConnection> => {
      const connection = await stranger(server.url);
      // As if the server were on another machine.
      return Object.create(connection, {
        getServer: { value: () => "10.0.0.7:4222" },
      }) as NatsConnection;
    };
    const options = { cluster: "c", nodeId: "a", membership: { static: ["a", "b"] } };
    const warnings: NatsPeersWarning[] = [];
    const open = createNatsPeers({
      ...options,
      connection: await elsewhere(),
      onWarning: (warning) => warnings.push(warning),
    });
    cleanups.push(() => open.close());
    const host = createScriptedHost();
    open.attach(host);
    await expect(open.ready()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    await expect(open.peers()[0]?.lookup(lookup)).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
    });
    expect(warnings.map(({ kind }) => kind)).toEqual(["unprotected"]);
    expect(open.stats()).toMatchObject({ connected: false, ready: false });
    for (const protection of [{ secret }, { insecure: true as const }]) {
      const peers = createNatsPeers({ ...options, ...protection, connection: await elsewhere() });
      cleanups.push(() => peers.close());
      await peers.ready();
    }
  });

  it("shares the secret of this host where the server lets everybody in", async () => {
    const server = await startServer();
    cleanups.push(() => server.dispose());
    const connection = await stranger(server.url);
    for (const asker of [{}, { secret: hostSecret() }]) {
      const nodes = await pair(server.url, { asker });
      expect(await nodes.clock.runUntil(nodes.ask())).toBe("answered");
    }
    for (const asker of [{ insecure: true }, { secret }] as const) {
      const nodes = await pair(server.url, { asker });
      expect(await nodes.clock.runUntil(nodes.ask())).toMatch(/^(PEER_UNREACHABLE|TIMEOUT) /);
      const [peer] = nodes.asker.peers.peers();
      const everything = { group: "g", target: { kind: "all" }, fence: 1 } as const;
      const call = peer?.invalidate(everything, { timeoutMs: 600_000 }) as Promise<void>;
      await expect(nodes.clock.runUntil(call)).rejects.toMatchObject({
        // A refusal is not signed, so a node with a secret does not believe it.
        code: expect.stringMatching(/^(PEER_UNREACHABLE|TIMEOUT)$/),
      });
      expect([nodes.owner.host.lookups, nodes.owner.host.invalidations]).toEqual([[], []]);
    }
    // The connection of an application, which has no address of its own in the options.
    const asker = { connection, servers: undefined } as unknown as Partial<NatsPeersOptions>;
    const nodes = await pair(server.url, { asker });
    expect(await nodes.clock.runUntil(nodes.ask())).toBe("answered");
  });

  it("reports refused credentials, and goes on trying", async () => {
    const config = 'authorization { user: node, password: "hunter2" }';
    const server = await startServer({ config });
    cleanups.push(() => server.dispose());
    const options = { cluster: "c", nodeId: "a", membership: { static: ["a"] } };
    const wrong = createNatsPeers({
      ...options,
      servers: server.url.replace("//", "//node:wrong@"),
    });
    cleanups.push(() => wrong.close());
    await expect(wrong.ready()).rejects.toMatchObject({ code: "UNAUTHENTICATED" });
    expect(wrong.stats().lastError).toContain("Authorization Violation");
    const right = createNatsPeers({
      ...options,
      servers: server.url.replace("//", "//node:hunter2@"),
    });
    cleanups.push(() => right.close());
    await right.ready();
    expect(JSON.stringify([right.stats(), wrong.stats()])).not.toContain("hunter2");
  });

  it("keeps accounts separate, and needs only the permissions that the README lists", async () => {
    const user = (node: string): string => `{
      user: "${node}", password: "pw", permissions: {
        publish: ["parsec.prod.*.ask", "parsec.prod.*.reply.>", "$KV.parsec_prod.prod.${node}",
          "$JS.API.STREAM.INFO.KV_parsec_prod", "$JS.API.STREAM.CREATE.KV_parsec_prod",
          "$JS.API.CONSUMER.CREATE.KV_parsec_prod.>", "$JS.API.CONSUMER.DELETE.KV_parsec_prod.>"],
        subscribe: ["parsec.prod.${node}.>", "_INBOX.>"]
      } }`;
    const server = await startServer({
      config: `accounts {
        ONE { jetstream: enabled, users: [${user("a")}, ${user("b")}] }
        TWO { jetstream: enabled, users: [${user("c")}, ${user("d")}] }
      }`,
    });
    cleanups.push(() => server.dispose());
    const start = async (ids: readonly [string, string]): Promise<TestNode[]> => {
      const cluster = await startNodes({ servers: server.url, ids: [], cluster: "prod" });
      cleanups.push(() => cluster.close());
      for (const id of ids) {
        await cluster.join(id, { servers: server.url.replace("//", `//${id}:pw@`) });
      }
      await cluster.agree(ids);
      return [...cluster.nodes];
    };
    const [one, two] = await Promise.all([start(["a", "b"]), start(["c", "d"])]);
    for (const nodes of [one, two]) {
      const [first, second] = nodes as [TestNode, TestNode];
      const [key] = keysOf(first, second.id, 1) as [string];
      expect(await first.get(key)).toBe(`value of ${key}`);
      expect(second.loads).toEqual([key]);
      expect((await first.group.invalidate(key)).failed).toEqual([]);
      expect(first.peers.stats().lastError).toBeUndefined();
    }
  });

  it("reports missing permissions", async () => {
    const config = `authorization { users: [ { user: a, password: pw, permissions: {
      publish: ["parsec.>"], subscribe: ["_INBOX.>"] } } ] }`;
    const server = await startServer({ config });
    cleanups.push(() => server.dispose());
    const peers = createNatsPeers({
      servers: server.url.replace("//", "//a:pw@"),
      cluster: "c",
      nodeId: "a",
      membership: { static: ["a"] },
    });
    cleanups.push(() => peers.close());
    await expect(peers.ready()).rejects.toMatchObject({
      code: "UNAUTHENTICATED",
      message: expect.stringContaining("parsec.c.a.ask"),
    });
  });

  it("connects by TLS with certificates of both sides", async () => {
    const folder = await mkdtemp(join(tmpdir(), "parsec-tls-"));
    cleanups.push(() => rm(folder, { recursive: true, force: true }));
    const { cert, private: key } = await generate([{ name: "commonName", value: "localhost" }], {
      keySize: 2048,
      extensions: [
        { name: "basicConstraints", cA: true },
        {
          name: "subjectAltName",
          altNames: [
            { type: 7, ip: "127.0.0.1" },
            { type: 2, value: "localhost" },
          ],
        },
      ],
    });
    const certFile = join(folder, "cert.pem");
    const keyFile = join(folder, "key.pem");
    await writeFile(certFile, cert);
    await writeFile(keyFile, key);
    const config = `tls { cert_file: "${certFile}", key_file: "${keyFile}", ca_file: "${certFile}", verify: true }`;
    const server = await startServer({ config });
    cleanups.push(() => server.dispose());
    const tls = { caFile: certFile, certFile, keyFile };
    const cluster = await startNodes({
      servers: server.url.replace("nats:", "tls:"),
      ids: ["a", "b"],
      connectionOptions: { tls },
    });
    cleanups.push(() => cluster.close());
    const [first] = cluster.nodes as [TestNode];
    const [one] = keysOf(first, "b", 1) as [string];
    expect(await first.get(one)).toBe(`value of ${one}`);
    const uncertified = createNatsPeers({
      servers: server.url.replace("nats:", "tls:"),
      connectionOptions: { tls: { caFile: certFile }, timeout: 500 },
      cluster: cluster.name,
      nodeId: "x",
    });
    cleanups.push(() => uncertified.close());
    void uncertified.ready().catch(() => {});
    await until(() => uncertified.stats().lastError !== undefined);
    expect(uncertified.stats().connected).toBe(false);
  });
});
