import { randomUUID } from "node:crypto";
import { connect, type Msg, type NatsConnection } from "@nats-io/transport-node";
import type { Peer, PeerLookup } from "@parsec/core";
import { createFrameServer, requestKind, resolveFrameLimits } from "@parsec/core/transport";
import { describeOnServers } from "@parsec/nats-fixtures";
import { createManualClock, type ManualClock } from "@parsec/testkit";
import { afterEach, expect, it } from "vitest";
import { createNatsPeers, type NatsPeers } from "../src/index.ts";
import { bodyOffset, type MessageKind, MessageWriter, readMessage } from "../src/nats-wire.ts";
import { until } from "./until.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

const lookup: PeerLookup = { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 600_000 };

interface Question {
  readonly kind: MessageKind;
  readonly body: Buffer;
  /** The answer of a correct node. */
  readonly sound: Buffer;
  /** Publishes a piece of an answer. */
  answer(
    body: Uint8Array,
    over?: { piece?: number; last?: boolean; session?: number; kind?: MessageKind },
  ): void;
  /** Publishes these bytes. */
  say(bytes: Uint8Array): void;
}

interface Stage {
  /** Runs only while a test waits for a time limit, so that elsewhere none can end a request. */
  readonly clock: ManualClock;
  readonly peers: NatsPeers;
  readonly peer: Peer;
  readonly questions: Question[];
  ask(over?: Partial<PeerLookup>): Promise<string>;
}

/** A node, and a peer that responds as the test demands. Pings are answered, unless the test does that. */
async function stage(
  url: string,
  respond: (question: Question, number: number) => void,
  { answersPings = true, pingTimeoutMs = 600_000 } = {},
): Promise<Stage> {
  const cluster = randomUUID();
  const client = await clientOf(url);
  const questions: Question[] = [];
  client.subscribe(`parsec.${cluster}.odd.ask`, {
    callback: (_error, message) => {
      const question = questionOf(client, message);
      if (question.kind === "ping" && answersPings)
        question.answer(Buffer.alloc(0), { kind: "pong" });
      else if (question.kind === "ask" || question.kind === "ping") {
        questions.push(question);
        respond(question, questions.length);
      }
    },
  });
  await client.flush();
  const clock = createManualClock();
  const peers = createNatsPeers({
    servers: url,
    cluster,
    nodeId: "node",
    membership: { static: ["node", "odd"] },
    health: { failures: 1000, pingTimeoutMs },
    limits: { maxValueBytes: 1000 },
    clock,
  });
  cleanups.push(() => peers.close());
  await peers.ready();
  const [peer] = peers.peers();
  if (peer === undefined) throw new Error("no peer");
  return {
    clock,
    peers,
    peer,
    questions,
    ask: (over = {}) =>
      peer.lookup({ ...lookup, ...over }).then(
        ({ value }) => `value ${value && Buffer.from(value).toString()}`,
        (error: { code: string }) => error.code,
      ),
  };
}

async function clientOf(url: string): Promise<NatsConnection> {
  const { username, password, host } = new URL(url);
  const identity = username === "" ? {} : { user: username, pass: password };
  const client = await connect({ servers: host, ...identity });
  cleanups.push(() => client.close());
  return client;
}

function questionOf(client: NatsConnection, message: Msg): Question {
  const { kind, body } = readMessage(message.data);
  const reply = message.reply ?? "";
  return {
    kind,
    body,
    get sound() {
      let bytes: Buffer<ArrayBufferLike> = Buffer.alloc(0);
      const server = createFrameServer({
        host: {
          lookup: ({ key }) => ({ value: Buffer.from(key), ttlMs: 1, fence: 0, ratePerMinute: 0 }),
          invalidate: () => {},
        },
        limits: resolveFrameLimits(),
        sender: 99,
      });
      if (requestKind(body) === "invalidations") return server.invalidations(body);
      const sendAll = (all: Buffer): void => {
        bytes = all;
      };
      server.lookups(body, { sendAll, send: () => true, finish: () => {} });
      return bytes;
    },
    answer(part, { piece = 0, last = true, session = 7, kind: answerKind = "answer" } = {}) {
      const writer = new MessageWriter({ session, signed: false });
      const bytes = writer.begin({ kind: answerKind, piece, last }, part.length);
      bytes.set(part, bodyOffset(false));
      client.publish(reply, bytes);
    },
    say: (bytes) => client.publish(reply, bytes),
  };
}

describeOnServers((server) => {
  it("accepts an answer in pieces of any size, and ignores duplicates and pieces of other nodes", async () => {
    const { ask } = await stage(server.url, ({ sound, answer }) => {
      let piece = 0;
      for (const byte of sound) {
        const part = Buffer.from([byte]);
        answer(part, { piece, last: false });
        answer(part, { piece, last: false });
        answer(Buffer.from("other"), { piece, session: 8 });
        piece++;
      }
      answer(Buffer.alloc(0), { piece });
      answer(sound);
    });
    expect(await ask()).toBe("value k");
    expect(await ask({ key: "l" })).toBe("value l");
  });

  it.each<[string, (question: Question) => void]>([
    [
      "bytes that are not a frame",
      ({ answer }) => answer(Buffer.from("garbage, and nothing else")),
    ],
    ["half an answer as if it were complete", ({ answer, sound }) => answer(sound.subarray(0, 12))],
    ["an answer to another frame", ({ answer, sound }) => answer(Buffer.from(sound).fill(9, 4, 5))],
    ["an empty answer", ({ answer }) => answer(Buffer.alloc(0))],
    ["without the first piece", ({ answer, sound }) => answer(sound, { piece: 1 })],
    [
      "with a missing piece",
      ({ answer, sound }) => {
        answer(sound.subarray(0, 9), { last: false });
        answer(sound.subarray(10), { piece: 2 });
      },
    ],
    [
      "a value larger than the limit",
      ({ answer, sound }) => {
        const large = Buffer.from(sound);
        large.writeUInt32LE(1001, large.length - 5);
        answer(large, { last: false });
      },
    ],
    ["a malformed refusal", ({ answer }) => answer(Buffer.from("?"), { kind: "refusal" })],
    ["a refusal", ({ answer }) => answer(Buffer.from("CLOSED bye"), { kind: "refusal" })],
  ])("rejects with PEER_UNREACHABLE when the peer answers %s", async (_, respond) => {
    const { ask } = await stage(server.url, respond);
    expect(await ask()).toBe("PEER_UNREACHABLE");
  });

  it.each<[string, (question: Question) => void]>([
    [
      "bytes that are not a frame",
      ({ answer }) => answer(Buffer.from("garbage, and nothing else")),
    ],
    ["that nothing was applied", ({ answer, sound }) => answer(sound.subarray(0, 8))],
    ["for another frame", ({ answer, sound }) => answer(Buffer.from(sound).fill(9, 4, 5))],
    ["an empty answer", ({ answer }) => answer(Buffer.alloc(0))],
    ["with a refusal", ({ answer }) => answer(Buffer.from("CLOSED bye"), { kind: "refusal" })],
  ])("does not count an invalidation as applied when the peer answers %s", async (_, respond) => {
    const { peer } = await stage(server.url, respond);
    const invalidation = { group: "g", target: { kind: "all" }, fence: 1 } as const;
    await expect(peer.invalidate(invalidation, { timeoutMs: 600_000 })).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
    });
  });

  it("ignores messages that are not of a node, and accepts the answer that follows", async () => {
    const { ask } = await stage(server.url, ({ say, answer, sound }) => {
      say(Buffer.from("garbage"));
      say(Buffer.alloc(0));
      answer(sound);
    });
    expect(await ask()).toBe("value k");
  });

  it("keeps OVERLOADED of an owner", async () => {
    const { ask } = await stage(server.url, ({ answer }) => {
      answer(Buffer.from("OVERLOADED too much"), { kind: "refusal" });
    });
    expect(await ask()).toBe("OVERLOADED");
  });

  it("waits for a peer that still knows the request, until the caller's own deadline", async () => {
    const { ask, clock, questions } = await stage(server.url, () => {});
    const outcome = ask({ timeoutMs: 5000 });
    await until(() => questions.length === 1);
    expect(await clock.runUntil(outcome)).toBe("TIMEOUT");
  });

  it("rejects requests that the peer has lost, and no others", async () => {
    const lost: Question[] = [];
    const { ask, clock, questions } = await stage(
      server.url,
      (question) => {
        if (question.kind === "ask") {
          if (question.body.includes("lost")) lost.push(question);
        } else question.answer(question.body.subarray(0, 8), { kind: "pong" });
      },
      { answersPings: false },
    );
    const losing = ask({ key: "lost" });
    await until(() => lost.length === 1);
    const keeping = ask({ key: "kept" });
    expect(await clock.runUntil(losing)).toBe("PEER_UNREACHABLE");
    const kept = questions.find(({ kind, body }) => kind === "ask" && body.includes("kept"));
    kept?.answer(kept.sound);
    expect(await keeping).toBe("value kept");
  });

  it("rejects when the peer answers neither requests nor pings", async () => {
    const { ask, clock, peers } = await stage(server.url, () => {}, {
      answersPings: false,
      pingTimeoutMs: 1000,
    });
    expect(await clock.runUntil(ask())).toBe("PEER_UNREACHABLE");
    const again = await ask();
    expect(again).toBe("PEER_UNREACHABLE");
    expect(peers.stats().connected).toBe(true);
  });

  it("does not mistake a late answer for that of another request", async () => {
    const held: Question[] = [];
    const { ask, clock } = await stage(server.url, (question, number) => {
      if (number === 1) held.push(question);
      else {
        const [first] = held;
        first?.answer(first.sound);
        question.answer(question.sound);
      }
    });
    const first = ask({ key: "first", timeoutMs: 60 });
    await until(() => held.length === 1);
    expect(await clock.runUntil(first)).toBe("TIMEOUT");
    expect(await ask({ key: "second" })).toBe("value second");
  });

  it("rejects an endless acknowledgement", async () => {
    const { peer } = await stage(server.url, ({ answer }) => {
      for (let piece = 0; piece < 3; piece++) answer(Buffer.alloc(30_000), { piece, last: false });
    });
    const call = peer.invalidate(
      { group: "g", target: { kind: "all" }, fence: 1 },
      { timeoutMs: 600_000 },
    );
    await expect(call).rejects.toMatchObject({ code: "PEER_UNREACHABLE" });
  });
});
