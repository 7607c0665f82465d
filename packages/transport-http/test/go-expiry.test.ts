import { createGroupCache, type Group } from "@parsec/core";
import { encodeGetResponse } from "@parsec/core/transport";
import { createManualClock, type ManualClock } from "@parsec/testkit";
import { afterEach, expect, it } from "vitest";
import { createHttpPeers } from "../src/index.ts";
import { startServer, type TestServer } from "./http-cluster.ts";

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Owned {
  readonly group: Group;
  readonly clock: ManualClock;
  /** A key that the peer owns. */
  readonly key: string;
  readonly requests: () => number;
}

/** A node whose peer answers as groupcache-go v3 and mailgun/groupcache do, with this time to live. */
async function ownedByPeer(ttlMs: number | undefined): Promise<Owned> {
  let requests = 0;
  const respond: TestServer["listener"] = (_request, response) => {
    requests += 1;
    const expiresAtMs = ttlMs === undefined ? undefined : Date.now() + ttlMs;
    response.setHeader("content-type", "application/x-protobuf");
    response.end(encodeGetResponse({ value: Buffer.from("v"), minuteQps: 1e6, expiresAtMs }));
  };
  const peer = await startServer(respond);
  cleanups.push(() => peer.close());
  const self = await startServer();
  cleanups.push(() => self.close());
  const clock = createManualClock();
  const peers = createHttpPeers({
    selfUrl: self.url,
    peerUrls: [self.url, peer.url],
    placement: "groupcache",
    peerWire: "golang",
    clock,
  });
  const cache = createGroupCache({ peers, clock });
  cleanups.push(() => cache.close());
  const group = cache.group("g", {
    load: () => Buffer.from("loaded here"),
    hot: { minRatePerMinute: 0 },
  });
  let key = "k";
  while (peers.pick(key) === undefined) key += "k";
  return { group, clock, key, requests: () => requests };
}

it("keeps a hot copy of a Go node's value until its expiry, and no longer", async () => {
  const { group, clock, key, requests } = await ownedByPeer(60_000);
  await group.get(key);
  await group.get(key);
  expect(requests()).toBe(1);
  clock.advance(58_000);
  await group.get(key);
  expect(requests()).toBe(1);
  clock.advance(2_001);
  await group.get(key);
  expect(requests()).toBe(2);
});

it("keeps no copy of a value that has expired by then", async () => {
  const { group, key, requests } = await ownedByPeer(-1);
  for (let times = 0; times < 3; times++) {
    expect(Buffer.from((await group.get(key)) ?? []).toString()).toBe("v");
  }
  expect(requests()).toBe(3);
});

it("keeps a copy of a value without expiry, as of golang/groupcache", async () => {
  const { group, clock, key, requests } = await ownedByPeer(undefined);
  await group.get(key);
  clock.advance(86_400_000);
  await group.get(key);
  expect(requests()).toBe(1);
});
