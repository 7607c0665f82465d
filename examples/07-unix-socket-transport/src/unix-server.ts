import { once } from "node:events";
import { rmSync } from "node:fs";
import { connect, createServer, type Socket } from "node:net";
import {
  createFrameService,
  encodeRefusal,
  type FrameService,
  type ServedFrame,
} from "@parsec/core/transport";
import { noBytes, readMessages, writeMessage } from "./messages.ts";
import { pathOf, type ResolvedUnixOptions } from "./unix-options.ts";
import { maxPieceBytes } from "./unix-peer.ts";

/** The answering side of a node. */
export interface UnixServer extends Pick<FrameService, "attach"> {
  listen(): Promise<void>;
  close(): Promise<void>;
}

export function createUnixServer(options: ResolvedUnixOptions): UnixServer {
  const { clock, closeTimeoutMs, insecure, limits, membership } = options;
  const path = pathOf(membership.selfId);
  const service = createFrameService(options);
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
    void serve(socket, { service, maxFrameBytes: limits.maxFrameBytes });
  });
  return {
    attach: (host) => service.attach(host),
    async listen() {
      await removeLeftover(path);
      // For the file that listen makes: of the same user alone, unless the options say otherwise.
      const umask = insecure ? process.umask() : process.umask(0o177);
      server.listen({ path, exclusive: true });
      process.umask(umask);
      await once(server, "listening");
    },
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      await service.close();
      for (const socket of sockets) socket.destroySoon();
      const cancelTimer = clock.schedule(closeTimeoutMs, () => {
        for (const socket of sockets) socket.destroy();
      });
      await closed;
      cancelTimer();
    },
  };
}

/** Answers what comes on one connection until it ends. */
async function serve(
  socket: Socket,
  { service, maxFrameBytes }: { readonly service: FrameService; readonly maxFrameBytes: number },
): Promise<void> {
  const served = new Map<number, ServedFrame>();
  const gone = new AbortController();
  socket.once("close", () => gone.abort());
  socket.on("drain", () => {
    for (const frame of served.values()) frame.resume();
  });
  try {
    for await (const { kind, exchange, body } of readMessages(socket, maxFrameBytes)) {
      if (kind === "request") answer(body, { exchange, socket, service, served });
      else if (kind === "ping") writeMessage(socket, { kind: "last", exchange, body: noBytes });
      else if (kind === "cancel") {
        served.get(exchange)?.disconnected();
        served.delete(exchange);
      }
      // Stops reading from a requester that does not read: its answers would fill this node's memory.
      if (socket.writableNeedDrain) await once(socket, "drain", gone);
    }
  } catch {
    // The connection broke, or what came is not a message: either way it is over.
  }
  socket.destroy();
  for (const frame of served.values()) frame.disconnected();
}

function answer(
  frame: Buffer,
  to: {
    readonly exchange: number;
    readonly socket: Socket;
    readonly service: FrameService;
    readonly served: Map<number, ServedFrame>;
  },
): void {
  const { exchange, socket, service, served } = to;
  const send = (bytes: Buffer): boolean => {
    let hasRoom = true;
    for (let start = 0; start < bytes.length; start += maxPieceBytes) {
      const body = bytes.subarray(start, start + maxPieceBytes);
      hasRoom = writeMessage(socket, { kind: "piece", exchange, body });
    }
    return hasRoom;
  };
  const finish = (): void => {
    served.delete(exchange);
    writeMessage(socket, { kind: "last", exchange, body: noBytes });
  };
  const sendAll = (bytes: Buffer): void => {
    send(bytes);
    finish();
  };
  try {
    const waiting = service.serve(frame, { send, sendAll, finish });
    if (waiting !== undefined) served.set(exchange, waiting);
  } catch (error) {
    writeMessage(socket, { kind: "refusal", exchange, body: encodeRefusal(error) });
  }
}

/** A process that was killed leaves the file of its socket behind, which would refuse the next one. */
async function removeLeftover(path: string): Promise<void> {
  const socket = connect(path);
  try {
    await once(socket, "connect");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ECONNREFUSED") rmSync(path);
  }
  socket.destroy();
}
