import { createDnsDiscovery, type DnsDiscoveryOptions } from "@parsec/core";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type DnsServer, startDnsServer } from "../src/dns/dns-server.ts";
import { createManualClock, type ManualClock } from "../src/manual-clock.ts";

const refreshMs = 5000;
const self = "http://127.0.0.1:8080";
const name = "peers.shop.example";

let dns: DnsServer;
let clock: ManualClock;
const cleanups: (() => unknown)[] = [];

beforeEach(async () => {
  dns = await startDnsServer();
  clock = createManualClock({ startMs: 1000 });
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
  await dns.close();
});

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 2));
}

function follow(options: Partial<DnsDiscoveryOptions> & { readonly selfId?: string } = {}) {
  const { selfId = self, ...rest } = options;
  const discovery = createDnsDiscovery({
    name,
    servers: [dns.address],
    clock,
    random: () => 0.5,
    ...rest,
  });
  cleanups.push(() => discovery.close());
  const seen: (readonly string[])[] = [];
  const warnings: string[] = [];
  discovery.start({
    selfId,
    onPeers: (ids) => seen.push(ids),
    onWarning: (message) => warnings.push(message),
  });
  const rounds = (): number => discovery.stats().answers + discovery.stats().failures;
  return {
    discovery,
    seen,
    warnings,
    /** Resolves after this number of lookups. */
    rounds: (count: number) => until(() => rounds() === count),
    /** Advances to the next lookup and waits for its end. */
    async refresh(afterMs: number = refreshMs): Promise<void> {
      const before = rounds();
      clock.advance(afterMs);
      await until(() => rounds() === before + 1);
    },
  };
}

/** Node URLs of 127.0.0.n at the port of this node. */
const urls = (...numbers: number[]): string[] => numbers.map((n) => `http://127.0.0.${n}:8080`);
const addresses = (...numbers: number[]): string[] => numbers.map((n) => `127.0.0.${n}`);

describe("nodes listed by address", () => {
  it("have the form of this node's URL, contain this node, and occur once each", async () => {
    dns.set(name, { addresses: addresses(3, 2, 3) });
    const { discovery, seen } = follow();
    await discovery.ready();
    expect(seen).toEqual([urls(1, 2, 3)]);
    expect(discovery.stats()).toEqual({
      members: urls(1, 2, 3),
      selfListed: false,
      answers: 1,
      emptyAnswers: 0,
      failures: 0,
      sinceAnswerMs: 0,
      problem: undefined,
    });
    expect(dns.questions).toEqual([{ name, type: "A" }]);
  });

  it.each([
    ["127.0.0.1:50051", ["127.0.0.1:50051", "127.0.0.2:50051"]],
    ["grpcs://127.0.0.1:1", ["grpcs://127.0.0.1:1", "grpcs://127.0.0.2:1"]],
    ["127.0.0.1", ["127.0.0.1", "127.0.0.2"]],
  ])("are spelled like %s", async (selfId, expected) => {
    dns.set(name, { addresses: addresses(1, 2) });
    const { discovery, seen } = follow({ selfId });
    await discovery.ready();
    expect(seen).toEqual([expected]);
    expect(discovery.stats().selfListed).toBe(true);
  });

  it("are looked up by AAAA when this node has an IPv6 address", async () => {
    dns.set(name, { addresses: ["127.0.0.9", "fd00:0:0:0:0:0:0:2", "fd00::1"] });
    const { discovery, seen } = follow({ selfId: "http://[fd00::1]:8080" });
    await discovery.ready();
    expect(seen).toEqual([["http://[fd00::1]:8080", "http://[fd00::2]:8080"]]);
    expect(dns.questions).toEqual([{ name, type: "AAAA" }]);
  });

  it("may be too many for a datagram", async () => {
    const many = Array.from({ length: 200 }, (_, index) => index + 1);
    dns.set(name, { addresses: addresses(...many) });
    const { discovery, seen } = follow();
    await discovery.ready();
    expect(seen[0]).toHaveLength(200);
  });

  it("are announced again only after a change", async () => {
    dns.set(name, { addresses: addresses(1, 2) });
    const { refresh, rounds, seen } = follow();
    await rounds(1);
    dns.set(name, { addresses: addresses(2, 1) });
    await refresh();
    dns.set(name, { addresses: addresses(2) });
    await refresh();
    expect(seen).toEqual([urls(1, 2)]);
    dns.set(name, { addresses: addresses(3, 2, 1) });
    await refresh();
    expect(seen).toEqual([urls(1, 2), urls(1, 2, 3)]);
  });

  it("are dropped after two consecutive answers without them, because DNS servers may differ for a moment", async () => {
    dns.set(name, { addresses: addresses(1, 2, 3) });
    const { refresh, rounds, seen } = follow();
    await rounds(1);
    for (const listed of [addresses(1, 2), addresses(1, 2, 3), addresses(1, 2)]) {
      dns.set(name, { addresses: listed });
      await refresh();
    }
    expect(seen).toEqual([urls(1, 2, 3)]);
    await refresh();
    expect(seen).toEqual([urls(1, 2, 3), urls(1, 2)]);
  });

  it("are dropped at once with forgetAfter: 1", async () => {
    dns.set(name, { addresses: addresses(1, 2) });
    const { refresh, rounds, seen } = follow({ forgetAfter: 1 });
    await rounds(1);
    dns.set(name, { addresses: addresses(1) });
    await refresh();
    expect(seen).toEqual([urls(1, 2), urls(1)]);
  });
});

describe("nodes listed by SRV records", () => {
  const service = "_http._tcp.peers.shop.example";
  const services = [
    { host: "Node-2.shop.example.", port: 8082 },
    { host: "node-1.shop.example", port: 8081 },
  ];

  it("keep their host names when this node's URL has a host name", async () => {
    dns.set(service, { services });
    const { discovery, seen } = follow({
      name: service,
      selfId: "http://node-1.shop.example:8081",
    });
    await discovery.ready();
    expect(seen).toEqual([["http://node-1.shop.example:8081", "http://node-2.shop.example:8082"]]);
    expect(discovery.stats().selfListed).toBe(true);
    expect(dns.questions).toEqual([{ name: service, type: "SRV" }]);
  });

  it("get addresses when this node's URL has an address; a target without one is skipped", async () => {
    dns.set(service, { services: [...services, { host: "node-3.shop.example", port: 8083 }] });
    dns.set("node-1.shop.example", { addresses: ["127.0.0.1"] });
    dns.set("node-2.shop.example", { addresses: ["127.0.0.2", "fd00::2"] });
    const { discovery, seen } = follow({ name: service, selfId: "127.0.0.1:8081" });
    await discovery.ready();
    expect(seen).toEqual([["127.0.0.1:8081", "127.0.0.2:8082"]]);
  });

  it("are looked up under names without an underscore, too", async () => {
    dns.set(name, { services, addresses: addresses(7) });
    const { discovery, seen } = follow({
      record: "srv",
      selfId: "http://node-1.shop.example:8081",
    });
    await discovery.ready();
    expect(seen[0]).toHaveLength(2);
  });

  it("skip port 0, invalid hosts, and the target '.', which means no service", async () => {
    dns.set(service, {
      services: [
        { host: ".", port: 0 },
        { host: "node-2", port: 0 },
        { host: "a b/c", port: 80 },
        { host: "node-4", port: 80 },
      ],
    });
    const { discovery, seen, warnings } = follow({ name: service, selfId: "http://node-1:80" });
    await discovery.ready();
    await until(() => warnings.length > 0);
    expect(seen).toEqual([["http://node-1:80", "http://node-4:80"]]);
    expect(warnings).toEqual([expect.stringMatching(/lists "node-2", which is not a valid host/)]);
  });

  it("fail as a whole when the lookup of one address fails", async () => {
    dns.set(service, { services });
    dns.set("node-1.shop.example", { addresses: ["127.0.0.1"] });
    dns.misbehave("failed", "node-2.shop.example");
    const { discovery, rounds, seen } = follow({ name: service, selfId: "127.0.0.1:8081" });
    await rounds(1);
    expect(discovery.stats()).toMatchObject({ answers: 0, failures: 1 });
    expect(seen).toEqual([]);
  });
});

describe("a name that is not fully qualified", () => {
  const searchDomains = ["shop.svc.cluster.local", "svc.cluster.local", "corp.example"];
  const complete = "peers.shop.svc.cluster.local";

  it("is tried with each search domain in turn, then as it is", async () => {
    dns.set("peers", { addresses: addresses(1, 2) });
    const { discovery, seen } = follow({ name: "peers", searchDomains });
    await discovery.ready();
    expect(seen).toEqual([urls(1, 2)]);
    expect(dns.questions.map((question) => question.name)).toEqual([
      complete,
      "peers.svc.cluster.local",
      "peers.corp.example",
      "peers",
    ]);
  });

  it("stays with the domain that had nodes, even when others have some and it has none", async () => {
    dns.set(complete, { addresses: addresses(1, 2) });
    dns.set("peers.corp.example", { addresses: addresses(66) });
    const { discovery, rounds, refresh, seen } = follow({ name: "peers", searchDomains });
    await rounds(1);
    dns.set(complete, undefined);
    await refresh();
    await refresh();
    expect(seen).toEqual([urls(1, 2)]);
    expect(discovery.stats().emptyAnswers).toBe(2);
    expect(new Set(dns.questions.map((question) => question.name))).toEqual(new Set([complete]));
  });

  it.each([
    ["exists without addresses", () => dns.set(complete, {})],
    ["cannot be looked up", () => dns.misbehave("failed", complete)],
  ])("is not tried with other domains when the first candidate %s", async (_state, prepare) => {
    prepare();
    dns.set("peers.corp.example", { addresses: addresses(66) });
    const { rounds, seen } = follow({ name: "peers", searchDomains });
    await rounds(1);
    expect(seen).toEqual([]);
  });

  it("is fully qualified when it ends with a dot", async () => {
    dns.set("peers", { addresses: addresses(1, 2) });
    const { discovery } = follow({ name: "peers.", searchDomains });
    await discovery.ready();
    expect(dns.questions.map((question) => question.name)).toEqual(["peers"]);
  });
});

describe("an answer without nodes", () => {
  it.each([
    ["the name does not exist", undefined],
    ["the name has no addresses", {}],
  ])("leaves a node alone at its start: %s", async (_reason, records) => {
    dns.set(name, records);
    const { discovery, seen, warnings, refresh } = follow();
    await discovery.ready();
    expect(seen).toEqual([]);
    expect(discovery.stats()).toMatchObject({
      members: [],
      answers: 1,
      emptyAnswers: 1,
      failures: 0,
    });
    dns.set(name, { addresses: addresses(1, 2) });
    await refresh();
    expect(seen).toEqual([urls(1, 2)]);
    expect(warnings).toEqual([
      `DNS: ${name} lists no nodes; no other nodes are known yet`,
      `DNS: ${name} recovered`,
    ]);
  });

  it.each([
    ["the name does not exist", undefined],
    ["the name has no addresses", {}],
  ])("does not remove the members of a node: %s", async (_reason, records) => {
    dns.set(name, { addresses: addresses(1, 2) });
    const { discovery, rounds, seen, warnings, refresh } = follow();
    await rounds(1);
    dns.set(name, records);
    for (let round = 0; round < 5; round++) await refresh();
    expect(seen).toEqual([urls(1, 2)]);
    expect(discovery.stats()).toMatchObject({ members: urls(1, 2), emptyAnswers: 5, failures: 0 });
    expect(warnings).toEqual([`DNS: ${name} lists no nodes; keeping the 2 known nodes`]);
  });
});

describe("DNS that fails", () => {
  it.each(["failed", "refused", "short", "garbage"] as const)(
    "keeps the members, with growing pauses between lookups and one warning: %s",
    async (fault) => {
      dns.set(name, { addresses: addresses(1, 2) });
      const { discovery, rounds, seen, warnings, refresh } = follow();
      await rounds(1);
      dns.misbehave(fault);
      // The resolver may wait for another answer after garbage: its timeouts use the system's clock, not the test's.
      const fail = async (afterMs: number): Promise<void> => {
        const { failures } = discovery.stats();
        clock.advance(afterMs);
        while (discovery.stats().failures === failures) {
          await new Promise((resolve) => setTimeout(resolve, 20));
          if (clock.nextTimerAt() === clock.now() + 3000) clock.advance(3000);
        }
      };
      await fail(5000);
      for (const delayMs of [5000, 10_000, 20_000, 30_000, 30_000]) {
        expect(clock.nextTimerAt()).toBe(clock.now() + delayMs);
        await fail(delayMs);
      }
      expect(seen).toEqual([urls(1, 2)]);
      expect(discovery.stats()).toMatchObject({ members: urls(1, 2), answers: 1, failures: 6 });
      expect(new Set(warnings.map((text) => text.replace(/: \w+;|: no answer.*?;/, "")))).toEqual(
        new Set([`DNS: lookup of ${name} failed keeping the 2 known nodes`]),
      );

      dns.misbehave("none");
      dns.set(name, { addresses: addresses(1, 2, 3) });
      await refresh(30_000);
      expect(seen).toEqual([urls(1, 2), urls(1, 2, 3)]);
      expect(warnings.at(-1)).toBe(`DNS: ${name} recovered`);
      expect(clock.nextTimerAt()).toBe(clock.now() + refreshMs);
    },
  );

  it("times out when it does not answer, and has one lookup in flight at a time", async () => {
    dns.misbehave("silent");
    const { discovery, rounds, warnings } = follow({ timeoutMs: 2000 });
    await until(() => dns.questions.length === 1);
    expect(clock.pendingCount).toBe(1);
    clock.advance(60_000);
    await rounds(1);
    expect(warnings).toEqual([
      `DNS: lookup of ${name} failed: no answer within 2000 ms; no other nodes are known yet`,
    ]);
    expect(discovery.stats().problem).toBe(warnings[0]?.slice("DNS: ".length));
    expect(dns.questions).toHaveLength(1);
  });

  it("is accepted only with the id of the request", async () => {
    dns.set(name, { addresses: addresses(1, 2) });
    dns.misbehave("stranger");
    const { discovery, rounds, seen } = follow();
    await until(() => dns.questions.length === 1);
    clock.advance(3000);
    await rounds(1);
    expect(seen).toEqual([]);
    expect(discovery.stats().answers).toBe(0);
  });

  it("is asked again soon by a node without peers", async () => {
    dns.misbehave("failed");
    const { discovery, rounds, refresh } = follow();
    await rounds(1);
    let ready = false;
    const waiting = discovery.ready().then(() => {
      ready = true;
    });
    for (const delayMs of [250, 500, 1000, 2000, 4000, 5000, 5000]) {
      expect(clock.nextTimerAt()).toBe(clock.now() + delayMs);
      await refresh(delayMs);
    }
    expect(ready).toBe(false);
    dns.misbehave("none");
    await refresh();
    await waiting;
  });

  it("is not running", async () => {
    const gone = await startDnsServer();
    await gone.close();
    const { rounds, discovery } = follow({ servers: [gone.address] });
    await rounds(1);
    expect(discovery.stats().problem).toMatch(/ECONNREFUSED/);
  });

  it("returns more nodes than maxPeers allows", async () => {
    dns.set(name, { addresses: addresses(1, 2) });
    const { discovery, rounds, refresh, seen } = follow({ maxPeers: 2 });
    await rounds(1);
    dns.set(name, { addresses: addresses(1, 2, 3) });
    await refresh();
    expect(seen).toEqual([urls(1, 2)]);
    expect(discovery.stats()).toMatchObject({ failures: 1, members: urls(1, 2) });
    expect(discovery.stats().problem).toMatch(/more than 2 nodes \(maxPeers\)/);
  });
});

it("warns when DNS does not contain this node, such as under another name", async () => {
  dns.set(name, { addresses: addresses(2, 3) });
  const { rounds, refresh, warnings } = follow();
  await rounds(1);
  await refresh();
  expect(warnings).toEqual([]);
  await refresh();
  expect(warnings).toEqual([
    `DNS: ${name} does not list this node: check that others can reach it as ${self}`,
  ]);
  dns.set(name, { addresses: addresses(1, 2, 3) });
  await refresh();
  expect(warnings.at(-1)).toBe(`DNS: ${name} recovered`);
});

it("varies its interval by up to a tenth, so that nodes do not all ask at once", async () => {
  for (const [random, delayMs] of [
    [0, 4500],
    [1, 5500],
  ] as const) {
    const { rounds, discovery } = follow({ random: () => random });
    await rounds(1);
    expect(clock.nextTimerAt()).toBe(clock.now() + delayMs);
    await discovery.close();
  }
});

describe("closing", () => {
  it("stops announcements, leaves no timer, and rejects pending ready calls", async () => {
    dns.misbehave("silent");
    const { discovery, seen, warnings } = follow();
    await until(() => dns.questions.length === 1);
    const waiting = discovery.ready();
    const left = discovery.ready({ signal: AbortSignal.abort("enough") });
    await expect(left).rejects.toMatchObject({ code: "ABORTED", cause: "enough" });
    await discovery.close();
    await discovery.close();
    await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
    await expect(discovery.ready()).rejects.toMatchObject({ code: "CLOSED" });
    await until(() => clock.pendingCount === 0);
    expect([seen, warnings]).toEqual([[], []]);
    const node = { selfId: self, onPeers() {}, onWarning() {} };
    expect(() => discovery.start(node)).toThrow(expect.objectContaining({ code: "CLOSED" }));
  });

  it("an abort rejects one caller of ready only", async () => {
    dns.misbehave("silent");
    const { discovery } = follow();
    const leaving = new AbortController();
    const left = discovery.ready({ signal: leaving.signal });
    leaving.abort();
    await expect(left).rejects.toMatchObject({ code: "ABORTED" });
  });
});

it.each([
  ["http://localhost:8080", /must contain this node's address, such as http:\/\/10\.0\.0\.7:8080/],
  ["http://10.0.0.1:8080/", /host and port/],
  ["fd00::1", /with IPv6 addresses in brackets/],
  ["http://[FD00::0:1]:80", /as other nodes derive it from DNS, "http:\/\/\[fd00::1\]:80"/],
])("a node called %s is refused", (selfId, message) => {
  const discovery = createDnsDiscovery({ name, servers: [dns.address] });
  const node = { selfId, onPeers() {}, onWarning() {} };
  expect(() => discovery.start(node)).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT", message: expect.stringMatching(message) }),
  );
});

it("serves one node only", async () => {
  const { discovery } = follow();
  expect(() => discovery.start({ selfId: self, onPeers() {}, onWarning() {} })).toThrow(
    expect.objectContaining({ code: "INVALID_ARGUMENT" }),
  );
});
