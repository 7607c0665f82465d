import { once } from "node:events";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { createInterface } from "node:readline";
import {
  isParsecError,
  ParsecError,
  type Peer,
  type PeerAnswer,
  type PeerHost,
  type PeerInvalidation,
  type PeerLookup,
  type PeerPicker,
} from "@parsec/core";
import {
  createPlacement,
  isErrorCode,
  type Placement,
  readPeerTrace,
} from "@parsec/core/transport";

/*
 * A minimal transport: one TCP connection per peer, a line of JSON per message. It shows that the contract
 * can be met without Parsec's frames, and is not fit for production.
 */

export interface LineLimits {
  readonly maxKeyBytes: number;
  readonly maxValueBytes: number;
}

type Message =
  | { id: number; do: "lookup"; lookup: Omit<PeerLookup, "input"> & { input?: string | undefined } }
  | { id: number; do: "invalidate"; invalidation: PeerInvalidation }
  | { id: number; do: "cancel" }
  | {
      id: number;
      do: "answer";
      value?: string | undefined;
      ttlMs: string;
      fence: number;
      rate: number;
      missing?: boolean | undefined;
    }
  | { id: number; do: "fail"; code: string; message: string };

/** Opens a port for a picker; its address is the node's id. */
export async function listenForLines(): Promise<{ server: Server; id: string }> {
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  return { server, id: `127.0.0.1:${(server.address() as AddressInfo).port}` };
}

function send(socket: Socket, message: Message): void {
  if (socket.writable) socket.write(`${JSON.stringify(message)}\n`);
}

/** Calls back with each parsed line; an invalid line ends the connection. */
function receive(socket: Socket, take: (message: Message) => void): void {
  const lines = createInterface({ input: socket });
  // The socket reports the same error itself.
  lines.on("error", () => {});
  lines.on("line", (line) => {
    let message: Message;
    try {
      message = JSON.parse(line) as Message;
    } catch {
      socket.destroy();
      return;
    }
    take(message);
  });
}

function base64(bytes: Uint8Array | undefined): string | undefined {
  return bytes && Buffer.from(bytes).toString("base64");
}

function failure(id: number, error: unknown): Message {
  return isParsecError(error)
    ? { id, do: "fail", code: error.code, message: error.message }
    : { id, do: "fail", code: "PEER_UNREACHABLE", message: "the peer's host failed" };
}

/** Serves the requests of one connection. */
function serve(socket: Socket, host: PeerHost, limits: LineLimits): void {
  const running = new Map<number, AbortController>();
  const answer = async (message: Extract<Message, { do: "lookup" }>): Promise<void> => {
    const { id, lookup } = message;
    const controller = new AbortController();
    running.set(id, controller);
    try {
      const input = lookup.input === undefined ? undefined : Buffer.from(lookup.input, "base64");
      const found = await host.lookup({ ...lookup, input }, { signal: controller.signal });
      if (found.value !== undefined && found.value.length > limits.maxValueBytes) {
        throw new ParsecError("VALUE_TOO_LARGE", `a value has ${found.value.length} bytes`);
      }
      const { fence, ratePerMinute: rate, missing } = found;
      // JSON has no Infinity.
      const ttlMs = String(found.ttlMs);
      send(socket, { id, do: "answer", value: base64(found.value), ttlMs, fence, rate, missing });
    } catch (error) {
      send(socket, failure(id, error));
    } finally {
      running.delete(id);
    }
  };
  socket.on("error", () => {});
  socket.on("close", () => {
    for (const controller of running.values()) controller.abort();
  });
  receive(socket, (message) => {
    const { id } = message;
    if (message.do === "lookup") {
      answer(message).catch(() => socket.destroy());
    } else if (message.do === "cancel") {
      running.get(id)?.abort();
    } else if (message.do === "invalidate") {
      try {
        host.invalidate(message.invalidation);
        send(socket, { id, do: "answer", ttlMs: "0", fence: 0, rate: 0 });
      } catch (error) {
        send(socket, failure(id, error));
      }
    }
  });
}

/** One peer: a connection that is opened when needed, and its pending calls. */
class LinePeer implements Peer {
  readonly id: string;
  readonly #limits: LineLimits;
  readonly #waiting: Map<number, { settle: (outcome: PeerAnswer | ParsecError) => void }> =
    new Map();
  #socket: Socket | undefined;
  #nextId = 1;
  #closed = false;

  constructor(id: string, limits: LineLimits) {
    this.id = id;
    this.#limits = limits;
  }

  async lookup(
    lookup: PeerLookup,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<PeerAnswer> {
    const bytes = Buffer.byteLength(lookup.key);
    if (bytes > this.#limits.maxKeyBytes) {
      throw new ParsecError("KEY_TOO_LARGE", `a key has ${bytes} bytes`);
    }
    const message = (id: number): Message => ({
      id,
      do: "lookup",
      lookup: { ...lookup, input: base64(lookup.input), trace: readPeerTrace(lookup.trace ?? {}) },
    });
    return await this.#ask(message, { timeoutMs: lookup.timeoutMs, signal: options?.signal });
  }

  async invalidate(
    invalidation: PeerInvalidation,
    options: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<void> {
    const trace = readPeerTrace(invalidation.trace ?? {});
    const message = { do: "invalidate", invalidation: { ...invalidation, trace } } as const;
    await this.#ask((id) => ({ id, ...message }), options);
  }

  close(): void {
    this.#closed = true;
    this.#failAll(new ParsecError("CLOSED", "the peers were closed"));
    this.#socket?.destroy();
  }

  #ask(
    message: (id: number) => Message,
    limits: { readonly timeoutMs: number; readonly signal?: AbortSignal | undefined },
  ): Promise<PeerAnswer> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new ParsecError("CLOSED", "the peers were closed"));
      const { signal, timeoutMs } = limits;
      if (signal?.aborted) return reject(new ParsecError("ABORTED", "aborted by the caller"));
      const id = this.#nextId++;
      const socket = this.#connect();
      const giveUp = (error: ParsecError) => (): void => {
        send(socket, { id, do: "cancel" });
        this.#waiting.get(id)?.settle(error);
      };
      const late = giveUp(new ParsecError("TIMEOUT", `no answer within ${timeoutMs} ms`));
      const abort = giveUp(new ParsecError("ABORTED", "aborted by the caller"));
      const timer = setTimeout(late, timeoutMs).unref();
      signal?.addEventListener("abort", abort, { once: true });
      this.#waiting.set(id, {
        settle: (outcome) => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", abort);
          this.#waiting.delete(id);
          if (outcome instanceof ParsecError) reject(outcome);
          else resolve(outcome);
        },
      });
      send(socket, message(id));
    });
  }

  #connect(): Socket {
    if (this.#socket !== undefined && !this.#socket.destroyed) return this.#socket;
    const [host, port] = this.id.split(":") as [string, string];
    const socket = connect(Number(port), host);
    this.#socket = socket;
    const lost = (cause?: Error): void => {
      if (this.#socket !== socket) return;
      this.#socket = undefined;
      this.#failAll(new ParsecError("PEER_UNREACHABLE", `${this.id}: connection lost`, { cause }));
    };
    socket.on("error", lost).on("close", () => lost());
    receive(socket, (message) => {
      const waiting = this.#waiting.get(message.id);
      if (message.do === "fail") {
        const code = isErrorCode(message.code) ? message.code : "PEER_UNREACHABLE";
        waiting?.settle(new ParsecError(code, message.message));
      } else if (message.do === "answer") {
        const { value, ttlMs, fence, rate, missing = false } = message;
        waiting?.settle({
          value: value === undefined ? undefined : Buffer.from(value, "base64"),
          ttlMs: Number(ttlMs),
          fence,
          ratePerMinute: rate,
          missing,
        });
      }
    });
    return socket;
  }

  #failAll(error: ParsecError): void {
    for (const { settle } of [...this.#waiting.values()]) settle(error);
  }
}

/** Creates a picker whose peers exchange lines of JSON. */
export function createLinePeers(options: {
  readonly server: Server;
  readonly selfId: string;
  readonly ids: readonly string[];
  readonly limits: LineLimits;
}): PeerPicker {
  const { server, selfId, limits } = options;
  const sockets = new Set<Socket>();
  let host: PeerHost | undefined;
  let peers = new Map<string, LinePeer>();
  let placement: Placement;

  server.on("connection", (socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    if (host === undefined) socket.destroy();
    else serve(socket, host, limits);
  });

  const updatePeers = (ids: readonly string[]): void => {
    if (!ids.includes(selfId)) {
      throw new ParsecError("INVALID_ARGUMENT", `ids must contain ${selfId}`);
    }
    const others = [...new Set(ids)].filter((id) => id !== selfId);
    const before = peers;
    peers = new Map(others.map((id) => [id, before.get(id) ?? new LinePeer(id, limits)]));
    placement = createPlacement("slots", [...new Set(ids)]);
    for (const [id, peer] of before) if (!peers.has(id)) peer.close();
  };
  updatePeers(options.ids);

  return {
    selfId,
    peers: () => [...peers.values()],
    pick: (key, without) => peers.get(placement.ownerOf(key, without)),
    updatePeers,
    attach(attached) {
      host = attached;
    },
    async close() {
      for (const peer of peers.values()) peer.close();
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
