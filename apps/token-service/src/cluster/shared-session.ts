import type { PGlite } from "@electric-sql/pglite";
import { ParsecError } from "@parsec/core";
import { createSemaphore } from "@parsec/core/authoring";
import { lastStatus, simpleQuery, startupPacket, syncMessage } from "./protocol-messages.ts";

/** PGlite's only session, which connections use in turns. */
export interface SharedSession {
  /** Waits for a turn (FIFO). Rejects with the signal's reason, or with `ORIGIN_FAILED` once PGlite has failed. */
  take(signal: AbortSignal): Promise<SessionTurn>;
}

/** Exclusive use of the session by one connection. */
export interface SessionTurn {
  /** Runs messages and returns the answers. Rejects with `ORIGIN_FAILED` when PGlite fails. */
  run(messages: Buffer): Promise<Buffer>;
  /** PGlite's answer to a new client. */
  greet(): Promise<Buffer>;
  /** Whether no transaction or statement is open. */
  isIdle(): boolean;
  /** Ends the turn. Rolls back an open transaction first. Idempotent. */
  end(): Promise<void>;
}

/** Shares the session of `db`, one connection at a time. */
export function createSharedSession(db: PGlite): SharedSession {
  const turns = createSemaphore(1);
  let failure: ParsecError | undefined;

  const execute = async (messages: Buffer): Promise<Buffer> => {
    if (failure !== undefined) throw failure;
    const parts: Buffer[] = [];
    try {
      // Copied at once, because PGlite reuses the memory.
      const onRawData = (data: Uint8Array): void => void parts.push(Buffer.from(data));
      await db.execProtocolRawStream(messages, { onRawData });
    } catch (cause) {
      // PGlite has exited. Another call might never return, and would block the whole process.
      failure = new ParsecError("ORIGIN_FAILED", "embedded database has failed", { cause });
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
        // PGlite has failed, which the next `take` reports.
      }
      turns.release();
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
    async take(signal) {
      if (failure !== undefined) throw failure;
      await turns.acquire(signal);
      // PGlite may have failed meanwhile: then each of those that wait fails in turn.
      if (failure === undefined) return createTurn();
      turns.release();
      throw failure;
    },
  };
}
