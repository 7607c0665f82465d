import { ParsecError, type Peer, type PeerPicker } from "@parsec/core";
import { expect, it } from "vitest";
import { answerOf, echo, expectRejection, lookupOf, textOf } from "../contracts/contract-case.ts";
import { createScriptedHost } from "../contracts/scripted-host.ts";
import { createManualClock } from "../manual-clock.ts";
import { settlePromises } from "../settle-promises.ts";
import { createMemoryNetwork } from "./memory-transport.ts";
import type { MemoryMessage, MessageFate } from "./memory-wire.ts";

/** Nodes a and b on a network with the given fate, b with a host that answers. */
function setUp(fate: (message: MemoryMessage) => MessageFate = () => ({})) {
  const clock = createManualClock();
  const network = createMemoryNetwork({ clock, fate });
  const ids = ["a", "b"];
  const join = (selfId: string): PeerPicker => network.createPeers({ selfId, ids });
  const [a, b] = [join("a"), join("b")];
  const host = createScriptedHost();
  host.onLookup(echo);
  b.attach(host);
  const peer = a.peers()[0] as Peer;
  return { clock, network, join, a, b, host, peer };
}

/** Answers of a host that wait for `release`. */
function held() {
  const waiting: (() => void)[] = [];
  return {
    release: () => {
      for (const answer of waiting.splice(0)) answer();
    },
    script: (lookup: Parameters<typeof echo>[0]) =>
      new Promise<ReturnType<typeof echo>>((resolve) => {
        waiting.push(() => resolve(echo(lookup)));
      }),
  };
}

it("a lost request and a lost answer both end by timeout", async () => {
  for (const kind of ["lookup", "answer"] as const) {
    const { clock, host, peer, network } = setUp((message) => ({ lost: message.kind === kind }));
    const call = expectRejection(peer.lookup(lookupOf("k", { timeoutMs: 50 })), "TIMEOUT");
    await clock.run(49);
    expect(network.pendingCount).toBe(1);
    await clock.run(1);
    await call;
    expect(network.pendingCount).toBe(0);
    expect(host.lookups).toHaveLength(kind === "lookup" ? 0 : 1);
    expect(clock.pendingCount).toBe(0);
  }
});

it("a garbled request and a garbled answer are PEER_UNREACHABLE", async () => {
  for (const kind of ["lookup", "answer"] as const) {
    const { host, peer } = setUp((message) => ({ garbled: message.kind === kind }));
    await expectRejection(peer.lookup(lookupOf("k")), "PEER_UNREACHABLE");
    expect(host.lookups).toHaveLength(kind === "lookup" ? 0 : 1);
  }
});

it("a repeated message reaches the host twice and answers once", async () => {
  const { clock, host, peer } = setUp(({ kind }) => ({
    againAfterMs: kind === "lookup" ? [30] : [],
  }));
  const answer = await peer.lookup(lookupOf("k"));
  expect(textOf(answer)).toBe(textOf(echo(lookupOf("k"))));
  await clock.run(30);
  expect(host.lookups).toHaveLength(2);
});

it("messages overtake each other according to their delays", async () => {
  let delayMs = 20;
  const { clock, host, peer } = setUp(({ kind }) => {
    if (kind !== "lookup") return {};
    delayMs -= 5;
    return { delayMs };
  });
  const calls = ["first", "second", "third"].map((key) => peer.lookup(lookupOf(key)));
  await clock.run(20);
  await Promise.all(calls);
  expect(host.lookups.map(({ lookup }) => lookup.key)).toEqual(["third", "second", "first"]);
});

it("a lookup that its cancel has overtaken does not reach the host", async () => {
  const { clock, host, peer } = setUp(({ kind }) => ({ delayMs: kind === "lookup" ? 20 : 1 }));
  const controller = new AbortController();
  const call = peer.lookup(lookupOf("k"), { signal: controller.signal });
  controller.abort();
  await expectRejection(call, "ABORTED");
  await clock.run(30);
  expect(host.lookups).toEqual([]);
});

it("a crash ends the connections of callers; after a silent crash they time out", async () => {
  for (const mode of ["refuse", "silent"] as const) {
    const { clock, network, host, peer } = setUp();
    host.onLookup(held().script);
    const code = mode === "refuse" ? "PEER_UNREACHABLE" : "TIMEOUT";
    const call = expectRejection(peer.lookup(lookupOf("k", { timeoutMs: 50 })), code);
    await settlePromises();
    network.crash("b", mode);
    await settlePromises();
    expect(network.pendingCount).toBe(mode === "refuse" ? 0 : 1);
    await clock.run(50);
    await call;
  }
});

it("an answer of a crashed node is not delivered", async () => {
  const { clock, network, host, peer } = setUp();
  const answers = held();
  host.onLookup(answers.script);
  const call = expectRejection(peer.lookup(lookupOf("k", { timeoutMs: 50 })), "TIMEOUT");
  await settlePromises();
  network.crash("b", "silent");
  answers.release();
  await clock.run(50);
  await call;
});

it("a crashed node can join again under its id, a running one cannot join twice", async () => {
  const { network, join, peer } = setUp();
  expect(() => join("b")).toThrow(expect.objectContaining({ code: "INVALID_ARGUMENT" }));
  network.crash("b");
  await expectRejection(peer.lookup(lookupOf("k")), "PEER_UNREACHABLE");
  const restarted = createScriptedHost();
  restarted.onLookup(() => answerOf("restarted"));
  join("b").attach(restarted);
  expect(textOf(await peer.lookup(lookupOf("k")))).toBe("restarted");
});

it("calls of a crashed node end, and the host that serves them is aborted", async () => {
  const { network, a, b, host, peer } = setUp();
  host.onLookup(held().script);
  const call = expectRejection(peer.lookup(lookupOf("k")), "CLOSED");
  await settlePromises();
  network.crash("a");
  await call;
  await settlePromises();
  expect(host.lookups[0]?.signal?.aborted).toBe(true);
  await Promise.all([a.close(), b.close()]);
});

it("a cut link refuses calls at once, or drops all messages, until it heals", async () => {
  const { clock, network, peer } = setUp();
  network.cut("b", "a");
  await expectRejection(peer.lookup(lookupOf("k")), "PEER_UNREACHABLE");
  network.cut("a", "b", "silent");
  const call = expectRejection(peer.lookup(lookupOf("k", { timeoutMs: 50 })), "TIMEOUT");
  await clock.run(50);
  await call;
  network.heal();
  expect(textOf(await peer.lookup(lookupOf("k")))).toBe(textOf(echo(lookupOf("k"))));
});

it("an answer over a cut link is PEER_UNREACHABLE", async () => {
  const { network, host, peer } = setUp();
  const answers = held();
  host.onLookup(answers.script);
  const call = expectRejection(peer.lookup(lookupOf("k")), "PEER_UNREACHABLE");
  await settlePromises();
  network.cut("a", "b");
  answers.release();
  await call;
});

it("an error is sent with code and message only", async () => {
  const { host, peer } = setUp();
  const error = new ParsecError("OVERLOADED", "too much", { cause: "secret" });
  host.onLookup(() => Promise.reject(error));
  const got: unknown = await peer.lookup(lookupOf("k")).catch((reason: unknown) => reason);
  expect(got).not.toBe(error);
  expect(got).toMatchObject({ code: "OVERLOADED", message: "too much" });
  expect(got).not.toHaveProperty("cause");
});

it("a node without a host is unreachable", async () => {
  const { network, join, peer } = setUp();
  network.crash("b");
  join("b");
  await expectRejection(peer.lookup(lookupOf("k")), "PEER_UNREACHABLE");
});
