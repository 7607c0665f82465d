import { spawn } from "node:child_process";
import { once } from "node:events";
import net from "node:net";
import { isParsecError, type Peer, type PeerLookup } from "@parsec/core";
import { createManualClock } from "@parsec/testkit";
import { afterEach, describe, expect, it } from "vitest";
import { createHttpPeers, type HttpPeersOptions, type HttpPeersWarning } from "../src/index.ts";
import { listen, startServer, until } from "./http-cluster.ts";

const cleanups: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Asked {
  readonly peer: Peer;
  readonly warnings: HttpPeersWarning[];
  /** The code a lookup ends with, or "answered". */
  ask(over?: Partial<PeerLookup>, signal?: AbortSignal): Promise<string>;
}

/** A client for the peer at `port`. */
function peerAt(port: number, options: Partial<HttpPeersOptions> = {}): Asked {
  const selfUrl = "http://127.0.0.1:1";
  const warnings: HttpPeersWarning[] = [];
  const peers = createHttpPeers({
    selfUrl,
    peerUrls: [selfUrl, `http://127.0.0.1:${port}`],
    onWarning: (warning) => warnings.push(warning),
    ...options,
    // Timeouts are long, so that no other test passes because of one; tests of timeouts set short ones.
    health: { failures: 1000, silenceMs: 600_000, ...options.health },
  });
  cleanups.push(() => peers.close());
  const [peer] = peers.peers();
  if (peer === undefined) throw new Error("no peer");
  const ask = (over: Partial<PeerLookup> = {}, signal?: AbortSignal): Promise<string> =>
    peer
      .lookup(
        { group: "g", key: "k", input: undefined, fence: 0, timeoutMs: 600_000, ...over },
        { signal },
      )
      .then(
        () => "answered",
        (error: unknown) => (isParsecError(error) ? error.code : `foreign: ${String(error)}`),
      );
  return { peer, warnings, ask };
}

/** A TCP server that answers each request with these bytes, or calls the function. */
async function rawServer(
  answer: string | Uint8Array | ((socket: net.Socket, requestNumber: number) => void),
): Promise<{
  readonly port: number;
  readonly requests: () => number;
  readonly server: net.Server;
}> {
  let requests = 0;
  const sockets = new Set<net.Socket>();
  const server = net.createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (chunk) => {
      if (!/^(?:GET|POST) /.test(chunk.toString("latin1"))) return;
      requests++;
      if (typeof answer === "function") answer(socket, requests);
      else socket.write(answer);
    });
  });
  const port = await listen(server);
  cleanups.push(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const socket of sockets) socket.destroy();
      }),
  );
  return { port, requests: () => requests, server };
}

const frameHead = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.parsec.frame\r\n";
const withLength = (body: Uint8Array, announced = body.length): Buffer =>
  Buffer.concat([Buffer.from(`${frameHead}Content-Length: ${announced}\r\n\r\n`), body]);
const hex = (text: string): Buffer => Buffer.from(text, "hex");
/** Frame ids start at 1. */
const answersHead = "5001020001000000";
const found = `${answersHead}0100000100000076`;

describe("with frames, a peer that", () => {
  it.each([
    ["does not speak HTTP", "SSH-2.0-OpenSSH_9.2p1 Debian\r\n"],
    ["answers with another content-type", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"],
    ["answers with random bytes", withLength(Buffer.from("garbage of some length"))],
    ["answers with an empty body", withLength(Buffer.alloc(0))],
    ["answers another frame id", withLength(hex("5001020009000000"))],
    ["answers a lookup that was not sent", withLength(hex(`${answersHead}04ffff`))],
    ["omits the answer", withLength(hex(answersHead))],
    ["declares a value over the size limit", withLength(hex(`${answersHead}010000ffffff7f`))],
    ["answers with an unknown status", withLength(hex(`${answersHead}0f0000`))],
    [
      "redirects",
      "HTTP/1.1 301 Moved\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n",
    ],
    ["is a failing proxy", "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad"],
    ["is Go's groupcache", "HTTP/1.1 400 Bad Request\r\nContent-Length: 12\r\n\r\nbad request\n"],
    ["sends too many headers", `HTTP/1.1 200 OK\r\n${`X: ${"y".repeat(1000)}\r\n`.repeat(40)}\r\n`],
  ])("%s fails with PEER_UNREACHABLE", async (_, answer) => {
    const server = await rawServer(answer);
    const { ask, peer } = peerAt(server.port);
    expect(await ask()).toBe("PEER_UNREACHABLE");
    const invalidation = { group: "g", target: { kind: "all" }, fence: 1 } as const;
    await expect(peer.invalidate(invalidation, { timeoutMs: 600_000 })).rejects.toMatchObject({
      code: "PEER_UNREACHABLE",
    });
  });

  it.each(["102 Processing", "103 Early Hints"])(
    "sends %s before its answer succeeds",
    async (status) => {
      const before = Buffer.from(`HTTP/1.1 ${status}\r\nLink: </a.css>\r\n\r\n`);
      const server = await rawServer(Buffer.concat([before, before, withLength(hex(found))]));
      const { ask, warnings } = peerAt(server.port);
      expect(await ask()).toBe("answered");
      expect(warnings).toEqual([]);
    },
  );

  it("answers correctly succeeds", async () => {
    const server = await rawServer(withLength(hex(found)));
    expect(await peerAt(server.port).ask()).toBe("answered");
  });

  it.each([
    ["in the middle of its answer", withLength(hex(found).subarray(0, -1), hex(found).length)],
    ["in the middle of its head", Buffer.from(frameHead)],
    [
      "in the middle of a chunk",
      Buffer.from(`${frameHead}Transfer-Encoding: chunked\r\n\r\nff\r\nP`),
    ],
  ])("closes %s fails with PEER_UNREACHABLE", async (_, answer) => {
    const server = await rawServer((socket) => socket.end(answer));
    expect(await peerAt(server.port).ask()).toBe("PEER_UNREACHABLE");
  });

  it("half-closes the connection and still answers succeeds or fails with PEER_UNREACHABLE", async () => {
    const server = await rawServer((socket) => {
      socket.write(withLength(hex(found)));
      socket.end();
    });
    const { ask } = peerAt(server.port);
    expect(await ask()).toBe("answered");
  });

  it("closes the connection without an answer gets exactly one retry", async () => {
    const server = await rawServer((socket) => socket.destroy());
    expect(await peerAt(server.port).ask()).toBe("PEER_UNREACHABLE");
    expect(server.requests()).toBe(2);
  });

  it("closed the idle connection gets a retry, which succeeds", async () => {
    const server = await rawServer((socket, request) => {
      if (request === 2) socket.destroy();
      else
        socket.write(
          withLength(hex(`500102000${request === 1 ? 1 : 2}000000`.concat("0100000100000076"))),
        );
    });
    const { ask } = peerAt(server.port);
    expect(await ask()).toBe("answered");
    expect(await ask()).toBe("answered");
    expect(server.requests()).toBe(3);
  });

  it("does not listen fails with PEER_UNREACHABLE at once", async () => {
    const server = await rawServer("");
    await new Promise<void>((resolve) => server.server.close(() => resolve()));
    expect(await peerAt(server.port).ask()).toBe("PEER_UNREACHABLE");
  });

  it("never answers fails each lookup at its own deadline", async () => {
    const server = await rawServer(() => {});
    const { ask } = peerAt(server.port);
    const outcomes = await Promise.all([ask({ timeoutMs: 30 }), ask({ timeoutMs: 60 })]);
    expect(outcomes).toEqual(["TIMEOUT", "TIMEOUT"]);
  });

  it("answers after the deadline does not affect later lookups", async () => {
    let late = (): void => {};
    const server = await rawServer((socket, request) => {
      if (request > 1) socket.write(withLength(hex(found.replace("01000000", "02000000"))));
      else late = () => socket.write(withLength(hex(found)));
    });
    const clock = createManualClock();
    const { ask } = peerAt(server.port, { clock });
    const first = ask({ timeoutMs: 20 });
    await until(() => server.requests() === 1);
    expect(await clock.runUntil(first)).toBe("TIMEOUT");
    late();
    expect(await ask()).toBe("answered");
  });

  it("does not answer pings either fails long before the deadlines", async () => {
    const server = await rawServer(() => {});
    const { ask, warnings } = peerAt(server.port, { health: { silenceMs: 40, pingTimeoutMs: 40 } });
    const outcomes = await Promise.all([ask({ timeoutMs: 600_000 }), ask({ timeoutMs: 600_000 })]);
    expect(outcomes).toEqual(["PEER_UNREACHABLE", "PEER_UNREACHABLE"]);
    expect(warnings.map((warning) => warning.kind)).toEqual(["peer-down"]);
  });

  it("is slow but answers pings is not counted as dead", async () => {
    let pings = 0;
    let answer = (): void => {};
    const server = await startServer((request, response) => {
      if (request.method === "GET") {
        pings++;
        response.writeHead(204).end();
        return;
      }
      response.writeHead(200, { "content-type": "application/vnd.parsec.frame" });
      response.flushHeaders();
      answer = () => response.end(hex(found));
    });
    cleanups.push(() => server.close());
    const { ask } = peerAt(server.port, { health: { silenceMs: 20, pingTimeoutMs: 600_000 } });
    const outcome = ask({ timeoutMs: 600_000 });
    await until(() => pings >= 3);
    answer();
    expect(await outcome).toBe("answered");
  });

  it("fails repeatedly opens the circuit breaker, is probed, and closes it again", async () => {
    const server = await startServer((_, response) => response.writeHead(500).end());
    cleanups.push(() => server.close());
    const health = { failures: 3, minBackoffMs: 20, maxBackoffMs: 40 };
    const { ask, warnings } = peerAt(server.port, { health });
    for (let times = 0; times < 3; times++) expect(await ask()).toBe("PEER_UNREACHABLE");
    expect(warnings.map((warning) => warning.kind)).toEqual(["peer-down"]);
    server.listener = (request, response) => {
      if (request.method === "GET") response.writeHead(204).end();
      else {
        request.on("data", (frame: Buffer) => {
          const answers = hex(found);
          frame.copy(answers, 4, 4, 8);
          response.writeHead(200, { "content-type": "application/vnd.parsec.frame" });
          response.end(answers);
        });
      }
    };
    await until(() => warnings.length === 2);
    expect(warnings[1]?.kind).toBe("peer-up");
    expect(await ask()).toBe("answered");
  });

  it("is suspended fails lookups before their deadlines, and recovers when it resumes", async () => {
    const program = `
      require("node:http").createServer((request, response) => {
        if (request.method === "GET") response.writeHead(204).end();
        else request.on("data", (frame) => {
          const answers = Buffer.from("${found}", "hex");
          frame.copy(answers, 4, 4, 8);
          response.writeHead(200, { "content-type": "application/vnd.parsec.frame" }).end(answers);
        });
      }).listen(0, "127.0.0.1", function () { console.log(this.address().port); });`;
    const child = spawn(process.execPath, ["-e", program], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    cleanups.push(async () => {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    });
    const [line] = (await once(child.stdout, "data")) as [Buffer];
    const clock = createManualClock();
    const health = { silenceMs: 1000, pingTimeoutMs: 3000 };
    const { ask, warnings } = peerAt(Number(line), { clock, health });
    expect(await ask()).toBe("answered");
    child.kill("SIGSTOP");
    expect(await clock.runUntil(ask())).toBe("PEER_UNREACHABLE");
    expect(await ask()).toBe("PEER_UNREACHABLE");
    child.kill("SIGCONT");
    await clock.runUntil(until(() => warnings.at(-1)?.kind === "peer-up"));
    expect(await ask()).toBe("answered");
  });
});

describe("with Go's protocol, a peer that", () => {
  const options = { peerWire: "golang", placement: "groupcache" } as const;
  const protobuf = (message: Uint8Array): Buffer =>
    Buffer.concat([
      Buffer.from(`HTTP/1.1 200 OK\r\nContent-Length: ${message.length}\r\n\r\n`),
      message,
    ]);

  it.each([
    ["does not speak HTTP", Buffer.from("SSH-2.0-OpenSSH\r\n"), "PEER_UNREACHABLE"],
    ["answers with invalid protobuf", protobuf(hex("0aff")), "PEER_UNREACHABLE"],
    [
      "answers a value larger than allowed",
      protobuf(Buffer.concat([hex("0a0b"), Buffer.alloc(11)])),
      "VALUE_TOO_LARGE",
    ],
    ["answers with more bytes than the limit", protobuf(Buffer.alloc(5000)), "VALUE_TOO_LARGE"],
    [
      "moved",
      Buffer.from("HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n"),
      "PEER_UNREACHABLE",
    ],
    [
      "has no such group",
      Buffer.from("HTTP/1.1 404 Not Found\r\nContent-Length: 17\r\n\r\nno such group: g\n"),
      "NO_SUCH_GROUP",
    ],
    [
      "fails to load",
      Buffer.from("HTTP/1.1 500 Oops\r\nContent-Length: 5\r\n\r\noops\n"),
      "ORIGIN_FAILED",
    ],
    [
      "fails with a long story",
      Buffer.from(`HTTP/1.1 500 Oops\r\nContent-Length: 9000\r\n\r\n${"x".repeat(9000)}`),
      "ORIGIN_FAILED",
    ],
    ["answers with a value", protobuf(hex("0a0176")), "answered"],
  ])("%s has the expected outcome", async (_, answer, outcome) => {
    const server = await rawServer(answer);
    expect(await peerAt(server.port, { ...options, limits: { maxValueBytes: 10 } }).ask()).toBe(
      outcome,
    );
  });

  it.each([
    ["400 Bad Request", "text/plain", "PEER_UNREACHABLE"],
    ["301 Moved Permanently", "text/html", "PEER_UNREACHABLE"],
    ["404 Not Found", "text/plain", "answered"],
    ["404 Not Found", "text/html", "PEER_UNREACHABLE"],
    ["414 URI Too Long", "text/html", "PEER_UNREACHABLE"],
    ["429 Too Many Requests", "text/plain", "PEER_UNREACHABLE"],
    ["431 Request Header Fields Too Large", "text/plain", "PEER_UNREACHABLE"],
    ["500 Internal Server Error", "text/plain", "ORIGIN_FAILED"],
    ["502 Bad Gateway", "text/html", "PEER_UNREACHABLE"],
    ["503 Service Unavailable", "text/plain", "ORIGIN_FAILED"],
    ["503 Service Unavailable", "text/html", "PEER_UNREACHABLE"],
  ])(
    "answers %s in %s for one key keeps its circuit breaker closed",
    async (status, type, outcome) => {
      const server = await startServer((request, response) => {
        if (request.url?.endsWith("/k") === true) return void response.end(hex("0a0176"));
        const [code = "", ...reason] = status.split(" ");
        response.writeHead(Number(code), reason.join(" "), { "content-type": type });
        response.end("no\n");
      });
      cleanups.push(() => server.close());
      const { ask, warnings } = peerAt(server.port, { ...options, health: { failures: 1 } });
      for (let times = 0; times < 5; times++) expect(await ask({ key: "odd" })).toBe(outcome);
      expect(await ask()).toBe("answered");
      expect(warnings).toEqual([]);
    },
  );

  it.each([
    ["garbage", Buffer.from("SSH-2.0-OpenSSH\r\n")],
    ["invalid protobuf", protobuf(hex("0aff"))],
  ])("answers %s opens its circuit breaker", async (_, answer) => {
    const server = await rawServer(answer);
    const { ask, warnings } = peerAt(server.port, { ...options, health: { failures: 2 } });
    await ask();
    expect(warnings).toEqual([]);
    await ask();
    expect(warnings).toMatchObject([{ kind: "peer-down" }]);
  });

  it("answers an error between two failures starts the count again", async () => {
    const server = await rawServer((socket, number) => {
      if (number % 2 === 0) socket.write("HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n");
      else socket.write(protobuf(hex("0aff")));
    });
    const { ask, warnings } = peerAt(server.port, { ...options, health: { failures: 2 } });
    const outcomes: string[] = [];
    for (let times = 0; times < 6; times++) outcomes.push(await ask());
    expect(new Set(outcomes)).toEqual(new Set(["PEER_UNREACHABLE", "ORIGIN_FAILED"]));
    expect(warnings).toEqual([]);
  });

  it("never answers fails each lookup at its own deadline or abort", async () => {
    const server = await rawServer(() => {});
    const { ask } = peerAt(server.port, { ...options, connections: { maxPerPeer: 3 } });
    const leaving = new AbortController();
    const outcomes = [
      ask({ timeoutMs: 50 }),
      ask({}, leaving.signal),
      ask({}, leaving.signal),
      // No connection is free for these two.
      ask({ timeoutMs: 30 }),
      ask({}, leaving.signal),
    ];
    await until(() => server.requests() === 3);
    leaving.abort();
    expect(await Promise.all(outcomes)).toEqual([
      "TIMEOUT",
      "ABORTED",
      "ABORTED",
      "TIMEOUT",
      "ABORTED",
    ]);
  });

  it("does not answer pings either fails long before the deadlines", async () => {
    const server = await rawServer(() => {});
    const health = { silenceMs: 40, pingTimeoutMs: 40 };
    const { ask, warnings } = peerAt(server.port, { ...options, health });
    expect(await ask({ timeoutMs: 600_000 })).toBe("PEER_UNREACHABLE");
    expect(await ask({ timeoutMs: 600_000 })).toBe("PEER_UNREACHABLE");
    expect(warnings.map((warning) => warning.kind)).toEqual(["peer-down"]);
  });

  it("has too many pending lookups refuses the rest with OVERLOADED", async () => {
    const server = await rawServer(() => {});
    const { ask } = peerAt(server.port, { ...options, limits: { maxQueued: 1 } });
    const first = ask({ timeoutMs: 50 });
    expect(await ask()).toBe("OVERLOADED");
    expect(await first).toBe("TIMEOUT");
  });

  it("is sent no lookup for a key over the size limit", async () => {
    const server = await rawServer(() => {});
    const { ask } = peerAt(server.port, { ...options, limits: { maxKeyBytes: 3 } });
    expect(await ask({ key: "éé" })).toBe("KEY_TOO_LARGE");
    expect(server.requests()).toBe(0);
  });
});
