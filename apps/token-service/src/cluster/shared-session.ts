import type { PGlite } from "@electric-sql/pglite";
import { ParsecError } from "@parsec/core";
import { lastStatus, simpleQuery, startupPacket, syncMessage } from "./protocol-messages.ts";

/** PGlite's one session, which connections take in turns. */
export interface SharedSession {
  /** Waits for a turn, first come, first served. Rejects when `signal` fires or the session is broken. */
  take(signal: AbortSignal): Promise<SessionTurn>;
}

/** One connection has the session to itself until it ends its turn. */
export interface SessionTurn {
  /** Runs messages and returns the answers. Rejects with `ORIGIN_FAILED` when PGlite breaks. */
  run(messages: Buffer): Promise<Buffer>;
  /** What PGlite answers to a new client. */
  greet(): Promise<Buffer>;
  /** Nothing is under way that another connection could disturb. */
  isIdle(): boolean;
  /** Passes the session on; an open transaction is rolled back first. Twice is fine. */
  end(): Promise<void>;
}

interface Waiting {
  readonly begin: () => void;
  readonly fail: (reason: unknown) => void;
}

export function createSharedSession(db: PGlite): SharedSession {
  const queue: Waiting[] = [];
  let isTaken = false;
  let failure: ParsecError | undefined;

  const passOn = (): void => {
    const next = queue.shift();
    if (next === undefined) isTaken = false;
    else next.begin();
  };
  const execute = async (messages: Buffer): Promise<Buffer> => {
    if (failure !== undefined) throw failure;
    const parts: Buffer[] = [];
    try {
      // What PGlite hands out is a view of memory that it uses again: copied at once.
      const onRawData = (data: Uint8Array): void => void parts.push(Buffer.from(data));
      await db.execProtocolRawStream(messages, { onRawData });
    } catch (cause) {
      // It has ended itself; another call might never return, and would block the whole process.
      failure = new ParsecError("ORIGIN_FAILED", "the database has ended", { cause });
      for (const { fail } of queue.splice(0)) fail(failure);
      throw failure;
    }
    return Buffer.concat(parts);
  };

  const createTurn = (): SessionTurn => {
    let isIdle = true;
    let ending: Promise<void> | undefined;
    const run = async (messages: Buffer): Promise<Buffer> => {
      isIdle = false;
      const answer = await execute(messages);
      isIdle = lastStatus(answer) === "I";
      return answer;
    };
    const end = async (): Promise<void> => {
      try {
        if (!isIdle) await run(syncMessage());
        if (!isIdle) await run(simpleQuery("ROLLBACK"));
      } catch {
        // Broken: whoever comes next is told.
      }
      passOn();
    };
    return {
      run,
      greet: () => run(startupPacket()),
      isIdle: () => isIdle,
      end() {
        ending ??= end();
        return ending;
      },
    };
  };

  return {
    take(signal) {
      if (failure !== undefined) return Promise.reject(failure);
      if (signal.aborted) return Promise.reject(signal.reason);
      if (!isTaken) {
        isTaken = true;
        return Promise.resolve(createTurn());
      }
      return new Promise((resolve, reject) => {
        const leave = (): void => {
          queue.splice(queue.indexOf(waiting), 1);
          reject(signal.reason);
        };
        const waiting: Waiting = {
          begin() {
            signal.removeEventListener("abort", leave);
            resolve(createTurn());
          },
          fail(reason) {
            signal.removeEventListener("abort", leave);
            reject(reason);
          },
        };
        queue.push(waiting);
        signal.addEventListener("abort", leave, { once: true });
      });
    },
  };
}
