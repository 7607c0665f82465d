import net from "node:net";
import {
  Metadata,
  Server,
  ServerCredentials,
  type ServerDuplexStream,
  type sendUnaryData,
  status,
} from "@grpc/grpc-js";
import { type Clock, isParsecError, type Peer, type PeerLookup } from "@parsec/core";
import { createSystemClock } from "@parsec/core/transport";
import { createManualClock } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { encodeAnswerMessage, messageMethods } from "../src/grpc-wire.ts";
import { createGrpcPeers, type GrpcPeersOptions, type GrpcPeersWarning } from "../src/index.ts";
import { answerFrame, appliedFrame, hex } from "./frames.ts";
import { until } from "./until.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Asked {
  readonly peer: Peer;
  readonly warnings: readonly GrpcPeersWarning[];
  /** The code a lookup ends with, or its value. */
  ask(over?: Partial<PeerLookup>, signal?: AbortSignal): Promise<string>;
  invalidate(timeoutMs?: number): Promise<string>;
}

/** A client for the peer at `port`. */
function peerAt(port: number, options: Partial<GrpcPeersOptions> = {}): Asked {
  const selfUrl = "127.0.0.1:1";
  const warnings: GrpcPeersWarning[] = [];
  const peers = createGrpcPeers({
    selfUrl,
    peerUrls: [selfUrl, `127.0.0.1:${port}`],
    // The peers of these tests do not sign.
    insecure: true,
    onWarning: (warning) => warnings.push(warning),
    closeTimeoutMs: 1,
    ...options,
    // Timeouts are long, so that no other test passes because of one; tests of timeouts set short ones.
    health: { failures: 1000, silenceMs: 600_000, ...options.health },
  });
  cleanups.push(() => peers.close());
  const [peer] = peers.peers();
  if (peer === undefined) throw new Error("no peer");
  const outcome = (call: Promise<string>): Promise<string> =>
    call.catch((error: unknown) => (isParsecError(error) ? error.code : `foreign: ${error}`));
  return {
    peer,
    warnings,
    ask(over = {}, signal = undefined) {
      const lookup = {
        group: "g",
        key: "k",
        input: undefined,
        fence: 0,
        timeoutMs: 600_000,
        ...over,
      };
      return outcome(
        peer.lookup(lookup, { signal }).then((answer) => String(Buffer.from(answer.value ?? []))),
      );
    },
    invalidate(timeoutMs = 600_000) {
      const invalidation = { group: "g", target: { kind: "all" }, fence: 1 } as const;
      return outcome(peer.invalidate(invalidation, { timeoutMs }).then(() => "applied"));
    },
  };
}

type Stream = ServerDuplexStream<Buffer, Buffer>;

/** A gRPC server whose streams, pings and invalidations are scripted by the test. */
async function impostor(
  answering: {
    readonly exchange?: (call: Stream) => void;
    readonly ping?: () => Buffer | "fails";
    readonly invalidate?: (request: Buffer) => Buffer;
  },
  port = 0,
): Promise<number> {
  const server = new Server();
  server.addService(
    {
      exchange: messageMethods.exchange,
      ping: messageMethods.ping,
      invalidate: messageMethods.invalidate,
    },
    {
      exchange: (call: Stream) => {
        call.on("error", () => {});
        answering.exchange?.(call);
      },
      ping: (_call: unknown, callback: sendUnaryData<Buffer>) => {
        const answer = answering.ping?.() ?? Buffer.alloc(0);
        if (answer === "fails") callback({ code: status.INTERNAL, details: "broken" });
        else callback(null, answer);
      },
      invalidate: (call: { readonly request: Buffer }, callback: sendUnaryData<Buffer>) =>
        callback(null, answering.invalidate?.(call.request) ?? Buffer.alloc(0)),
    },
  );
  cleanups.push(() => server.forceShutdown());
  return await new Promise((resolve, reject) => {
    const address = `127.0.0.1:${port}`;
    server.bindAsync(address, ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    );
  });
}

/** A plain TCP server. */
async function tcpServer(onSocket: (socket: net.Socket) => void) {
  const sockets = new Set<net.Socket>();
  let count = 0;
  const server = net.createServer((socket) => {
    count++;
    sockets.add(socket);
    // Reads, so that it notices when the client disconnects, and sends nothing.
    socket.resume();
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    onSocket(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  cleanups.push(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as net.AddressInfo;
  return { port, sockets, connections: () => count };
}

function onFrames(answer: (frame: Buffer, call: Stream) => void): (call: Stream) => void {
  return (call) => {
    call.on("data", (frame: Buffer) => answer(frame, call));
  };
}
const idOf = (frame: Buffer): number => frame.readUInt32LE(4);
const answersWith = (bytes: Buffer) => onFrames((_, call) => call.write(bytes));
const isLookups = (frame: Buffer): boolean => frame[2] === 1;

describe("a peer that", () => {
  it("splits its answers in any way is understood", async () => {
    const port = await impostor({
      exchange: onFrames((frame, call) => {
        const answers = answerFrame(idOf(frame));
        for (const byte of answers) {
          call.write(encodeAnswerMessage("piece", idOf(frame), Buffer.of(byte)));
        }
        call.write(encodeAnswerMessage("last", idOf(frame), Buffer.alloc(0)));
      }),
    });
    expect(await peerAt(port).ask()).toBe("v");
  });

  it("answers out of order is understood", async () => {
    const frames: Buffer[] = [];
    const port = await impostor({
      exchange: onFrames((frame, call) => {
        frames.push(frame);
        if (frames.length < 3) return;
        for (const one of frames.reverse()) call.write(answerFrame(idOf(one)));
      }),
    });
    const { ask } = peerAt(port);
    const outcomes = [];
    for (let index = 1; index <= 3; index++) {
      outcomes.push(ask());
      await until(() => frames.length === index);
    }
    expect(await Promise.all(outcomes)).toEqual(["v", "v", "v"]);
  });

  it("answers twice, or without a request, has only its first answer used", async () => {
    const port = await impostor({
      exchange: onFrames((frame, call) => {
        call.write(answerFrame(4711));
        call.write(encodeAnswerMessage("refusal", 4712, Buffer.from("CLOSED no")));
        call.write(answerFrame(idOf(frame)));
        call.write(answerFrame(idOf(frame)));
      }),
    });
    const { ask } = peerAt(port);
    expect([await ask(), await ask()]).toEqual(["v", "v"]);
  });

  it.each([
    ["random bytes", hex("deadbeef deadbeef")],
    ["nothing", Buffer.alloc(0)],
    ["a message cut short", hex("01 01")],
    ["more bytes than the limit", Buffer.alloc(1024 * 1024 + 100, 1)],
  ])("answers %s loses its stream, and the next lookup opens a new one", async (_, bytes) => {
    let streams = 0;
    const port = await impostor({
      exchange: (call) => {
        streams++;
        if (streams === 1) answersWith(bytes)(call);
        else onFrames((frame, stream) => stream.write(answerFrame(idOf(frame))))(call);
      },
    });
    const { ask } = peerAt(port);
    expect(await ask()).toBe("PEER_UNREACHABLE");
    expect(await ask()).toBe("v");
    expect(streams).toBe(2);
  });

  it.each([
    ["sends a truncated answer", (frame: Buffer) => answerFrame(idOf(frame)).subarray(0, 12)],
    ["omits an answer", (frame: Buffer) => answerFrame(idOf(frame)).subarray(0, 8)],
    [
      "answers an index that was not asked",
      (frame: Buffer) => {
        const answers = answerFrame(idOf(frame));
        answers.writeUInt16LE(1, 9);
        return answers;
      },
    ],
    [
      "has a value longer than allowed",
      (frame: Buffer) => {
        const answers = Buffer.concat([answerFrame(idOf(frame)), Buffer.alloc(20)]);
        answers.writeUInt32LE(21, 11);
        return answers;
      },
    ],
    [
      "answers with an unknown status",
      (frame: Buffer) => {
        const answers = answerFrame(idOf(frame));
        answers[8] = 9;
        return answers;
      },
    ],
    [
      "refuses the frame",
      (frame: Buffer) => encodeAnswerMessage("refusal", idOf(frame), Buffer.from("CLOSED no")),
    ],
  ])("%s fails this frame with PEER_UNREACHABLE, and the stream stays open", async (_, answer) => {
    let frames = 0;
    let streams = 0;
    const port = await impostor({
      exchange: (call) => {
        streams++;
        onFrames((frame, stream) => {
          if (!isLookups(frame)) return;
          frames++;
          stream.write(frames === 1 ? answer(frame) : answerFrame(idOf(frame)));
        })(call);
      },
    });
    const { ask } = peerAt(port, { limits: { maxValueBytes: 20 } });
    expect(await ask()).toBe("PEER_UNREACHABLE");
    expect(await ask()).toBe("v");
    expect(streams).toBe(1);
  });

  it("refuses a frame as OVERLOADED fails it with OVERLOADED", async () => {
    const port = await impostor({
      exchange: onFrames((frame, call) =>
        call.write(encodeAnswerMessage("refusal", idOf(frame), Buffer.from("OVERLOADED busy"))),
      ),
    });
    expect(await peerAt(port).ask()).toBe("OVERLOADED");
  });

  it("ends the stream before an answer gets exactly one retry", async () => {
    let frames = 0;
    let streams = 0;
    const port = await impostor({
      exchange: (call) => {
        streams++;
        onFrames((frame, stream) => {
          frames++;
          // Each stream answers one frame and ends at the second.
          if (frames % 2 === 1) stream.write(answerFrame(idOf(frame)));
          else stream.end();
        })(call);
      },
    });
    const { ask } = peerAt(port);
    expect([await ask(), await ask()]).toEqual(["v", "v"]);
    expect([streams, frames]).toEqual([2, 3]);
  });

  it("ends every stream is not retried endlessly", async () => {
    let streams = 0;
    const port = await impostor({
      exchange: (call) => {
        streams++;
        call.sendMetadata(new Metadata());
        call.on("data", () => call.end());
      },
    });
    expect(await peerAt(port).ask()).toBe("PEER_UNREACHABLE");
    expect(streams).toBe(2);
  });

  it("never accepts a stream gets no retry", async () => {
    const { port, connections } = await tcpServer((socket) => socket.destroy());
    expect(await peerAt(port).ask()).toBe("PEER_UNREACHABLE");
    expect(connections()).toBe(1);
  });

  it("ends the stream with an error status is PEER_UNREACHABLE", async () => {
    const port = await impostor({
      exchange: (call) => call.emit("error", { code: status.PERMISSION_DENIED, details: "no" }),
    });
    expect(await peerAt(port).ask()).toBe("PEER_UNREACHABLE");
  });

  it("does not have the service is PEER_UNREACHABLE", async () => {
    const server = new Server();
    server.addService({ get: messageMethods.get }, {});
    cleanups.push(() => server.forceShutdown());
    const port = await new Promise<number>((resolve, reject) => {
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) =>
        error === null ? resolve(bound) : reject(error),
      );
    });
    const { ask, invalidate } = peerAt(port);
    expect([await ask(), await invalidate()]).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
  });

  it.each([
    ["HTTP/1", "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"],
    ["SSH", "SSH-2.0-OpenSSH_9.9\r\n"],
  ])("sends %s is PEER_UNREACHABLE", async (_, greeting) => {
    const { port } = await tcpServer((socket) => socket.end(greeting));
    const { ask, invalidate } = peerAt(port);
    expect([await ask(), await invalidate()]).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
  });

  it.each([
    ["nothing", Buffer.alloc(0)],
    ["random bytes", hex("deadbeef")],
    ["an answer to a lookup", hex("50010200 00000000 04 0000")],
    ["no acknowledgement", hex("50010200 00000000")],
  ])("answers an invalidation with %s fails it", async (_, answer) => {
    const port = await impostor({ invalidate: () => answer });
    expect(await peerAt(port).invalidate()).toBe("PEER_UNREACHABLE");
  });
});

describe("a peer that hangs", () => {
  it("in its origins fails each lookup at its own deadline or abort, and gets the cancellations", async () => {
    const cancellations: Buffer[] = [];
    let frames = 0;
    const port = await impostor({
      exchange: onFrames((frame, call) => {
        if (!isLookups(frame)) cancellations.push(frame);
        else {
          frames++;
          // The metadata acknowledges the frame.
          call.write(
            encodeAnswerMessage("piece", idOf(frame), answerFrame(idOf(frame)).subarray(0, 8)),
          );
        }
      }),
    });
    const { ask } = peerAt(port, { health: { silenceMs: 20, pingTimeoutMs: 600_000 } });
    const leaving = new AbortController();
    const outcomes = [ask({ timeoutMs: 50 }), ask({}, leaving.signal)];
    await until(() => frames === 1);
    expect(await outcomes[0]).toBe("TIMEOUT");
    leaving.abort();
    expect(await outcomes[1]).toBe("ABORTED");
    await until(() => cancellations.length > 0);
  });

  it("and does not answer pings fails its lookups long before their deadlines", async () => {
    const { port } = await tcpServer(() => {});
    const health = { silenceMs: 40, pingTimeoutMs: 40, minBackoffMs: 60_000, maxBackoffMs: 60_000 };
    const { ask, invalidate, warnings } = peerAt(port, { health });
    expect(await ask({ timeoutMs: 600_000 })).toBe("PEER_UNREACHABLE");
    // The circuit breaker is open now.
    expect(await ask({ timeoutMs: 600_000 })).toBe("PEER_UNREACHABLE");
    expect(await invalidate(600_000)).toBe("TIMEOUT");
    expect(warnings.map((warning) => warning.kind)).toEqual(["peer-down"]);
  });

  it("leaks no connection, however often it is probed", async () => {
    const { port, sockets, connections } = await tcpServer(() => {});
    const health = { silenceMs: 20, pingTimeoutMs: 20, minBackoffMs: 1, maxBackoffMs: 1 };
    const { ask } = peerAt(port, { health });
    expect(await ask({ timeoutMs: 600_000 })).toBe("PEER_UNREACHABLE");
    await until(() => connections() > 10);
    expect(sockets.size).toBeLessThan(6);
  });

  it("does not delay the client's close", async () => {
    const { port, sockets } = await tcpServer(() => {});
    const selfUrl = "127.0.0.1:1";
    const peers = createGrpcPeers({
      selfUrl,
      peerUrls: [selfUrl, `127.0.0.1:${port}`],
      insecure: true,
      closeTimeoutMs: 20,
    });
    const lookup = { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 600_000 };
    const outcome = peers
      .peers()[0]
      ?.lookup(lookup)
      .catch((error: { code: string }) => error.code);
    await until(() => sockets.size > 0);
    await peers.close();
    expect(await outcome).toBe("CLOSED");
    await until(() => sockets.size === 0);
  });
});

describe("a peer that fails", () => {
  it("repeatedly opens the circuit breaker, is probed, and closes it again", async () => {
    let works = false;
    const port = await impostor({
      ping: () => (works ? Buffer.alloc(0) : "fails"),
      exchange: (call) => {
        if (works) onFrames((frame, stream) => stream.write(answerFrame(idOf(frame))))(call);
        else call.emit("error", { code: status.INTERNAL, details: "broken" });
      },
    });
    const health = { failures: 3, minBackoffMs: 20, maxBackoffMs: 40 };
    const { ask, warnings } = peerAt(port, { health });
    for (let times = 0; times < 3; times++) expect(await ask()).toBe("PEER_UNREACHABLE");
    expect(warnings.map((warning) => warning.kind)).toEqual(["peer-down"]);
    works = true;
    await until(() => warnings.length === 2);
    expect(warnings[1]?.kind).toBe("peer-up");
    expect(await ask()).toBe("v");
  });

  it("because it does not run is reached as soon as it starts", async () => {
    const { port } = await tcpServer((socket) => socket.destroy());
    for (const cleanup of cleanups.splice(0)) await cleanup();
    const health = { failures: 2, minBackoffMs: 20, maxBackoffMs: 40 };
    const { ask, invalidate, warnings } = peerAt(port, { health });
    expect(await invalidate()).toBe("PEER_UNREACHABLE");
    const peer = {
      exchange: onFrames((frame: Buffer, call: Stream) => call.write(answerFrame(idOf(frame)))),
      invalidate: (request: Buffer) => appliedFrame(idOf(request)),
    };
    await impostor(peer, port);
    // At once: gRPC's own backoff would still refuse for a second.
    expect(await invalidate()).toBe("applied");
    for (const cleanup of cleanups.splice(1)) await cleanup();
    expect([await ask(), await ask()]).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
    await until(() => warnings.at(-1)?.kind === "peer-down");
    await impostor(peer, port);
    await until(() => warnings.at(-1)?.kind === "peer-up");
    expect(await ask()).toBe("v");
  });
});

describe("a peer behind a network that", () => {
  /** A proxy. While it is cut, it accepts connections and drops all their data. */
  async function network(target: number) {
    let isCut = false;
    const pairs: [net.Socket, net.Socket][] = [];
    const { port } = await tcpServer((socket) => {
      if (isCut) return;
      const onward = net.connect({ port: target, host: "127.0.0.1", noDelay: true });
      socket.setNoDelay(true);
      onward.on("error", () => {});
      cleanups.push(() => onward.destroy());
      pairs.push([socket, onward]);
      socket.pipe(onward);
      onward.pipe(socket);
    });
    return {
      port,
      cut() {
        isCut = true;
        for (const [socket, onward] of pairs) {
          socket.unpipe(onward).resume();
          onward.unpipe(socket).resume();
        }
      },
      mend() {
        isCut = false;
      },
    };
  }

  it("silently drops its connections is reached over new ones", async () => {
    let works = 0;
    const target = await impostor({
      exchange: onFrames((frame, call) => {
        works++;
        call.write(answerFrame(idOf(frame)));
      }),
    });
    const { port, cut, mend } = await network(target);
    const clock = createManualClock();
    const health = { silenceMs: 1000, pingTimeoutMs: 3000 };
    const { ask, invalidate, warnings } = peerAt(port, { clock, health });
    expect(await ask()).toBe("v");
    // Opens the connection for pings and invalidations.
    expect(await invalidate()).toBe("PEER_UNREACHABLE");
    cut();
    expect(await clock.runUntil(ask())).toBe("PEER_UNREACHABLE");
    expect(warnings.map((warning) => warning.kind)).toEqual(["peer-down"]);
    expect(await clock.runUntil(invalidate(100))).toBe("TIMEOUT");
    mend();
    await clock.runUntil(until(() => warnings.at(-1)?.kind === "peer-up"));
    expect(await ask()).toBe("v");
    expect(works).toBe(2);
  });

  // Two timers end a call: the one of the peer's clock and gRPC's own. Either may fire first.
  const stopped: Clock = { now: () => 0, schedule: () => () => {} };
  it.each([
    ["with both timers", createSystemClock()],
    ["with gRPC's own deadline only", stopped],
  ])("loses an invalidation gets the next one over a new connection, %s", async (_, clock) => {
    const target = await impostor({ invalidate: (request) => appliedFrame(idOf(request)) });
    const { port, cut, mend } = await network(target);
    const { invalidate } = peerAt(port, { clock });
    cut();
    expect(await invalidate(50)).toBe("TIMEOUT");
    mend();
    expect(await invalidate()).toBe("applied");
  });
});

describe("a client", () => {
  it("rejects with OVERLOADED over maxQueued", async () => {
    const port = await impostor({});
    const { ask } = peerAt(port, { limits: { maxQueued: 1 } });
    const first = ask({ timeoutMs: 50 });
    expect(await ask()).toBe("OVERLOADED");
    expect(await first).toBe("TIMEOUT");
  });

  it("sends no lookup for a key over maxKeyBytes", async () => {
    let frames = 0;
    const port = await impostor({ exchange: onFrames(() => frames++) });
    const { ask } = peerAt(port, { limits: { maxKeyBytes: 3 } });
    expect(await ask({ key: "éé" })).toBe("KEY_TOO_LARGE");
    expect(frames).toBe(0);
  });
});
