import { once } from "node:events";
import type { Socket } from "node:net";
import { isParsecError } from "@parsec/core";
import { createFrontendReader, type FrontendMessage } from "./frontend-reader.ts";
import { createMessageBatches } from "./message-batches.ts";
import { fatalError, negotiateVersion } from "./protocol-messages.ts";
import type { SessionTurn, SharedSession } from "./shared-session.ts";

/** One client of the shared session. */
export interface ClientConnection {
  /** Closes the connection. Resolves once the session is free of this client. Idempotent. */
  close(): Promise<void>;
  /** Resolves when the connection is closed and the session is free of this client. */
  readonly ended: Promise<void>;
}

/** Limits of one client. */
export interface ClientLimits {
  /** Maximum size of one message, and of all messages up to the next Sync. */
  readonly maxBatchBytes: number;
  /** When more bytes than this wait to run, reading from the client pauses (back-pressure). */
  readonly maxWaitingBytes: number;
  /** Timeout for the startup packet. */
  readonly silenceMs: number;
}

type Startup = Extract<FrontendMessage, { readonly kind: "startup" }>;
type Step = Buffer | Startup | "terminate";

/**
 * Serves one client. Its messages are collected until the server must answer, and then run in one turn,
 * which lasts until the session is idle again, so that messages of other clients cannot interleave. The
 * socket's server must allow half-open connections.
 */
export function serveClient(
  socket: Socket,
  options: { readonly session: SharedSession; readonly limits: ClientLimits },
): ClientConnection {
  const { session, limits } = options;
  const reader = createFrontendReader({ maxMessageBytes: limits.maxBatchBytes });
  const batches = createMessageBatches({ maxBytes: limits.maxBatchBytes });
  const gone = new AbortController();
  const steps: Step[] = [];
  let waitingBytes = 0;
  let isLeaving = false;
  let isRunning = false;
  let turn: SessionTurn | undefined;
  let markEnded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    markEnded = resolve;
  });

  const hangUp = (lastWords?: Buffer): void => {
    isLeaving = true;
    if (lastWords !== undefined) socket.write(lastWords);
    socket.end();
    // Discards further input, and destroys the socket when the client does not close it.
    socket.resume();
    socket.setTimeout(limits.silenceMs, () => socket.destroy());
  };
  const reject = (code: string, message: string): void => {
    if (gone.signal.aborted) return;
    hangUp(fatalError(code, message));
    gone.abort();
  };
  const refuse = (reason: unknown): void => {
    const isTooLarge = isParsecError(reason) && reason.code === "FRAME_TOO_LARGE";
    reject(isTooLarge ? "54000" : "08P01", (reason as Error).message);
  };

  const runStep = async (step: Buffer | Startup): Promise<void> => {
    turn ??= await session.take(gone.signal);
    if (gone.signal.aborted) return;
    const answer = Buffer.isBuffer(step) ? await turn.run(step) : await turn.greet();
    if (turn.isIdle()) {
      await turn.end();
      turn = undefined;
    }
    if (gone.signal.aborted) return;
    if (!Buffer.isBuffer(step) && step.minorVersion > 0) socket.write(negotiateVersion());
    // A client that disconnects meanwhile is handled by the "close" listener.
    if (!socket.write(answer)) {
      await once(socket, "drain", { signal: gone.signal }).catch(() => {});
    }
  };
  const runSteps = async (): Promise<void> => {
    if (isRunning) return;
    isRunning = true;
    try {
      for (let step = steps.shift(); step !== undefined; step = steps.shift()) {
        if (gone.signal.aborted) break;
        if (step === "terminate") {
          hangUp();
          gone.abort();
          break;
        }
        await runStep(step);
        if (Buffer.isBuffer(step)) waitingBytes -= step.length;
        if (waitingBytes <= limits.maxWaitingBytes) socket.resume();
      }
    } catch (reason) {
      if (!gone.signal.aborted) reject("57P02", (reason as Error).message);
    }
    isRunning = false;
    if (gone.signal.aborted) await leave();
  };
  const leave = async (): Promise<void> => {
    steps.length = 0;
    await turn?.end();
    turn = undefined;
    if (socket.closed) markEnded();
  };

  const take = (message: FrontendMessage): void => {
    switch (message.kind) {
      case "encryption-request":
        socket.write("N");
        return;
      case "cancel-request":
        // Cancelling is not supported. Postgres does not answer a cancel request either.
        hangUp();
        return;
      case "terminate":
        isLeaving = true;
        steps.push("terminate");
        return;
      case "startup":
        socket.setTimeout(0);
        steps.push(message);
        return;
      default: {
        const batch = batches.add(message);
        if (batch === undefined) return;
        steps.push(batch);
        waitingBytes += batch.length;
        if (waitingBytes > limits.maxWaitingBytes) socket.pause();
      }
    }
  };

  socket.setNoDelay(true);
  socket.setTimeout(limits.silenceMs, () => socket.destroy());
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => {
    if (isLeaving) return;
    reader.push(chunk);
    try {
      for (let next = reader.next(); next !== undefined && !isLeaving; next = reader.next()) {
        take(next);
      }
    } catch (reason) {
      refuse(reason);
    }
    void runSteps();
  });
  socket.on("end", () => {
    // After Terminate, pending answers are still sent; after a plain disconnect they are not.
    if (!isLeaving) socket.destroy();
  });
  socket.on("close", () => {
    gone.abort();
    if (!isRunning) void leave();
  });

  return {
    ended,
    close() {
      socket.destroy();
      return ended;
    },
  };
}
