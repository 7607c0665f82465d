import { renameSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { ParsecError } from "../../errors.ts";
import type { FrameService } from "../server/frame-service.ts";
import type { ServedFrame } from "../server/served-frame.ts";
import { encodeRefusal } from "../wire/refusal.ts";
import { maxPieceBytes } from "./worker-connection.ts";
import { MessageReader, noBytes, type WorkerMessage, writeMessage } from "./worker-messages.ts";
import { isSocketName } from "./worker-sockets.ts";

export interface WorkerServerOptions {
  readonly path: string;
  readonly maxFrameBytes: number;
  /** Answers frames from this process alone (invariant I6). */
  readonly service: FrameService;
  /** Takes part of a hand-over whose other parts go to other workers; see `WorkerPeer.share`. */
  readonly takeShare: (frame: Buffer, nextTicket: number) => Buffer | Promise<Buffer>;
  /** A worker connects. The returned function is called at its hello, or when the connection ends without. */
  readonly onConnection: () => () => void;
  /** A worker said hello. */
  readonly onHello: (name: string) => void;
  /** A worker takes no more keys. */
  readonly onLeaving: (name: string) => void;
  /** A worker ran for a while without this process knowing it: each may have missed invalidations of the other. */
  readonly onApart: () => void;
  /** The connection of a worker ended. */
  readonly onClose: (name: string) => void;
}

/** Accepts connections of other workers. Does not keep the process alive. */
export class WorkerServer {
  readonly #options: WorkerServerOptions;
  #server: Server;
  readonly #sockets: Set<Socket> = new Set();

  /** Listens at once. Throws when the socket cannot be bound. */
  constructor(options: WorkerServerOptions) {
    this.#options = options;
    this.#server = this.#listen();
  }

  /** Binds the path again after the socket's file was deleted. Connections stay open. Throws when the socket cannot be bound. */
  bindAnew(): void {
    const former = this.#server;
    this.#server = this.#listen();
    former.close();
  }

  /** Accepts no more connections, deletes the socket's file, and ends the open connections. */
  close(): void {
    this.#server.close();
    rmSync(this.#options.path, { force: true });
    for (const socket of this.#sockets) socket.destroy();
  }

  #listen(): Server {
    const server = createServer((socket) => this.#accept(socket));
    // Reported below: listening to a path succeeds or fails within the call.
    server.on("error", () => {});
    // Visible to other processes only once it accepts connections: a socket that refuses them counts as left behind.
    const hiddenPath = `${this.#options.path}~`;
    server.listen({ path: hiddenPath, exclusive: true });
    if (!server.listening) throw new Error(`cannot listen at ${hiddenPath}`);
    server.unref();
    try {
      renameSync(hiddenPath, this.#options.path);
    } catch (error) {
      server.close();
      throw error;
    }
    return server;
  }

  #accept(socket: Socket): void {
    this.#sockets.add(socket);
    socket.unref();
    socket.on("error", () => {});
    const requester = new Requester(socket, this.#options);
    socket.on("close", () => {
      this.#sockets.delete(socket);
      requester.disconnected();
    });
  }
}

/** One connection of a worker. */
class Requester {
  readonly #socket: Socket;
  readonly #options: WorkerServerOptions;
  readonly #reader: MessageReader;
  readonly #served: Map<number, ServedFrame> = new Map();
  readonly #greeted: () => void;
  #name: string | undefined = undefined;

  constructor(socket: Socket, options: WorkerServerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#reader = new MessageReader(options.maxFrameBytes + 8);
    this.#greeted = options.onConnection();
    socket.on("data", (chunk: Buffer) => this.#receive(chunk));
    socket.on("drain", () => {
      for (const frame of this.#served.values()) frame.resume();
      socket.resume();
    });
  }

  disconnected(): void {
    for (const frame of this.#served.values()) frame.disconnected();
    this.#served.clear();
    this.#greeted();
    if (this.#name !== undefined) this.#options.onClose(this.#name);
  }

  #receive(chunk: Buffer): void {
    try {
      for (const message of this.#reader.push(chunk)) this.#take(message);
    } catch {
      // The bytes are not messages.
      this.#socket.destroy();
    }
    // Stops reading from a requester that does not read: its answers would fill this process's memory.
    if (this.#socket.writableNeedDrain) this.#socket.pause();
  }

  #take(message: WorkerMessage): void {
    const { kind, exchange } = message;
    switch (kind) {
      case "hello":
        this.#hello(message.body.toString("latin1"));
        break;
      case "leaving":
        if (this.#name !== undefined) this.#options.onLeaving(this.#name);
        break;
      case "apart":
        if (this.#name !== undefined) this.#options.onApart();
        break;
      case "ping":
        this.#write("last", exchange, noBytes);
        break;
      case "cancel":
        this.#served.get(exchange)?.disconnected();
        this.#served.delete(exchange);
        break;
      case "request":
        this.#serve(message);
        break;
      case "share":
        void this.#share(message);
        break;
      default:
        throw new ParsecError("MALFORMED_FRAME", `unexpected ${kind}`);
    }
  }

  #hello(name: string): void {
    if (!isSocketName(name)) throw new ParsecError("MALFORMED_FRAME", "hello without a name");
    this.#name = name;
    this.#options.onHello(name);
    this.#greeted();
    this.#write("welcome", 0, noBytes);
  }

  #serve({ exchange, body }: WorkerMessage): void {
    const send = (bytes: Buffer): boolean => {
      let hasRoom = true;
      for (let start = 0; start < bytes.length; start += maxPieceBytes) {
        hasRoom = this.#write("piece", exchange, bytes.subarray(start, start + maxPieceBytes));
      }
      return hasRoom;
    };
    const finish = (): void => {
      this.#served.delete(exchange);
      this.#write("last", exchange, noBytes);
    };
    const sendAll = (bytes: Buffer): void => {
      if (bytes.length > maxPieceBytes) {
        send(bytes);
        finish();
        return;
      }
      this.#served.delete(exchange);
      this.#write("last", exchange, bytes);
    };
    try {
      const waiting = this.#options.service.serve(body, { send, sendAll, finish });
      if (waiting !== undefined) this.#served.set(exchange, waiting);
    } catch (error) {
      this.#write("refusal", exchange, encodeRefusal(error));
    }
  }

  async #share({ exchange, body }: WorkerMessage): Promise<void> {
    try {
      if (body.length < 8) throw new ParsecError("MALFORMED_FRAME", "share without a ticket");
      const answer = await this.#options.takeShare(body.subarray(8), body.readDoubleLE(0));
      this.#write("last", exchange, answer);
    } catch (error) {
      this.#write("refusal", exchange, encodeRefusal(error));
    }
  }

  #write(kind: WorkerMessage["kind"], exchange: number, body: Buffer): boolean {
    return writeMessage(this.#socket, { kind, exchange, body });
  }
}
