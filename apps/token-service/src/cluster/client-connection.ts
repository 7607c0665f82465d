import type { Socket } from "node:net";
import { isParsecError } from "@parsec/core";
import { createFrontendReader, type FrontendMessage } from "./frontend-reader.ts";
import { createMessageBatches } from "./message-batches.ts";
import { fatalError, negotiateVersion } from "./protocol-messages.ts";
import type { SessionTurn, SharedSession } from "./shared-session.ts";

/** One client of the shared session. */
export interface ClientConnection {
  /** Hangs up. Resolves once the session is free of this client. Twice is fine. */
  close(): Promise<void>;
  /** Resolves when the client has gone, or has been sent away, and left nothing behind. */
  readonly ended: Promise<void>;
}

export interface ClientLimits {
  /** Of one message, and of all up to the next Sync. */
  readonly maxBatchBytes: number;
  /** So much may wait to be run before the client is not read from any more. */
  readonly maxWaitingBytes: number;
  /** A client that says nothing for so long, before it has said who it is, is cut off. */
  readonly silenceMs: number;
}

type Startup = Extract<FrontendMessage, { readonly kind: "startup" }>;
type Step = Buffer | Startup | "terminate";

/**
 * Serves one client. Its messages wait until the server owes an answer to them; then they run in one
 * turn, which lasts until the session is idle again, so that nobody else's come in between. The
 * server that the socket comes from must allow half-open connections.
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
    // What still comes is thrown away, and a client that does not hang up too is cut off.
    socket.resume();
    socket.setTimeout(limits.silenceMs, () => socket.destroy());
  };
  const sendAway = (code: string, message: string): void => {
    if (gone.signal.aborted) return;
    hangUp(fatalError(code, message));
    gone.abort();
  };
  const refuse = (reason: unknown): void => {
    const isTooLarge = isParsecError(reason) && reason.code === "FRAME_TOO_LARGE";
    sendAway(isTooLarge ? "54000" : "08P01", (reason as Error).message);
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
    if (!socket.write(answer)) await drained(socket, gone.signal);
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
      if (!gone.signal.aborted) sendAway("57P02", (reason as Error).message);
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
        // Statements run one at a time and to the end; Postgres answers nothing here either.
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
    // Who has said goodbye still gets the answers to what came before; who just vanished does not.
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

/** Resolves when the client has taken what was sent, or has gone. */
function drained(socket: Socket, gone: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off("drain", done);
      gone.removeEventListener("abort", done);
      resolve();
    };
    socket.once("drain", done);
    gone.addEventListener("abort", done, { once: true });
  });
}
