import { createGroupCache, ParsecError, type Peer } from "@parsec/core";
import { expect, it } from "vitest";
import {
  echo,
  expectRejection,
  invalidationOf,
  lookupOf,
  textOf,
} from "./contracts/contract-case.ts";
import { createScriptedHost } from "./contracts/scripted-host.ts";
import { createFaultyPeer, createFaultyPicker, type PeerFault } from "./faulty-peer.ts";
import { createManualClock } from "./manual-clock.ts";
import { createMemoryNetwork } from "./memory-transport/memory-transport.ts";
import { settlePromises } from "./settle-promises.ts";

/** A peer that answers at once, with the given faults in its first calls. */
function setUp(...faults: (PeerFault | undefined)[]) {
  const clock = createManualClock();
  const network = createMemoryNetwork({ clock });
  const ids = ["a", "b"];
  const picker = network.createPeers({ selfId: "a", ids });
  const host = createScriptedHost();
  host.onLookup(echo);
  network.createPeers({ selfId: "b", ids }).attach(host);
  const peer = createFaultyPeer(picker.peers()[0] as Peer, ({ index }) => faults[index], { clock });
  return { clock, host, peer, picker };
}

it("passes a call on when the plan has no fault for it", async () => {
  const { peer } = setUp();
  expect(textOf(await peer.lookup(lookupOf("k")))).toBe(textOf(echo(lookupOf("k"))));
});

it("fail: rejects without a call of the peer", async () => {
  const { host, peer } = setUp({ kind: "fail", error: new ParsecError("OVERLOADED", "full") });
  await expectRejection(peer.lookup(lookupOf("k")), "OVERLOADED");
  expect(host.lookups).toEqual([]);
  await peer.lookup(lookupOf("k"));
});

it("delay: calls the peer later", async () => {
  const { clock, host, peer } = setUp({ kind: "delay", ms: 30 });
  const call = peer.lookup(lookupOf("k"));
  await clock.run(29);
  expect(host.lookups).toHaveLength(0);
  await clock.run(1);
  await call;
  expect(clock.pendingCount).toBe(0);
});

it("hang: ends by timeout or abort", async () => {
  const { clock, peer } = setUp({ kind: "hang" }, { kind: "hang" }, { kind: "hang" });
  const late = expectRejection(peer.lookup(lookupOf("k", { timeoutMs: 40 })), "TIMEOUT");
  await clock.run(40);
  await late;
  const controller = new AbortController();
  const { signal } = controller;
  const given = expectRejection(peer.lookup(lookupOf("k"), { signal }), "ABORTED");
  controller.abort();
  await given;
  await expectRejection(peer.lookup(lookupOf("k"), { signal: AbortSignal.abort() }), "ABORTED");
  expect(clock.pendingCount).toBe(0);
});

it("late: delivers the outcome after the timeout", async () => {
  const { clock, peer } = setUp({ kind: "late", ms: 90 });
  let settled = false;
  const call = peer.lookup(lookupOf("k", { timeoutMs: 40 })).finally(() => {
    settled = true;
  });
  await clock.run(89);
  expect(settled).toBe(false);
  await clock.run(1);
  expect(textOf(await call)).toBe(textOf(echo(lookupOf("k"))));
});

it("double: calls the peer twice and answers once", async () => {
  const { host, peer } = setUp({ kind: "double" }, { kind: "double" });
  await peer.lookup(lookupOf("k"));
  expect(host.lookups).toHaveLength(2);
  await peer.invalidate(invalidationOf(["k"]), { timeoutMs: 100 });
  await settlePromises();
  expect(host.invalidations).toHaveLength(2);
});

it("a cache on a faulty picker loads locally when the owner is unreachable", async () => {
  const { picker } = setUp();
  const seen: string[] = [];
  const peers = createFaultyPicker(picker, (call) => {
    seen.push(`${call.kind} ${call.key} of ${call.peerId}`);
    return { kind: "fail", error: new ParsecError("PEER_UNREACHABLE", "by plan") };
  });
  const cache = createGroupCache({ peers });
  const group = cache.group("datasource:users", { load: (key) => `here: ${key}` });
  const key = ["k0", "k1", "k2", "k3"].find((each) => picker.pick(each) !== undefined) as string;
  expect(Buffer.from((await group.get(key)) as Uint8Array).toString()).toBe(`here: ${key}`);
  expect(seen).toEqual([`lookup ${key} of b`]);
  await cache.close();
});
