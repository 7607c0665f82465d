import { PGlite } from "@electric-sql/pglite";
import { loopbackHost } from "@parsec/program";
import { startSessionServer } from "./session-server.ts";
import { createSharedSession } from "./shared-session.ts";

/** An in-memory Postgres in this process, which other processes reach by a normal URL. */
export interface EmbeddedPostgres {
  readonly url: string;
  close(): Promise<void>;
}

/** Enough for three nodes with their pools, the supervisor and a psql. */
const maxConnections = 40;
const limits = { maxBatchBytes: 16 * 1024 * 1024, maxWaitingBytes: 1024 * 1024, silenceMs: 10_000 };

/**
 * Starts the database, which takes a second or two. All connections share its single session in turns, so
 * that none sees another's transaction or unnamed statement. SET and named prepared statements affect all
 * connections.
 */
export async function startEmbeddedPostgres(port: number): Promise<EmbeddedPostgres> {
  const db = await PGlite.create();
  const server = await startSessionServer(createSharedSession(db), {
    host: loopbackHost,
    port,
    maxConnections,
    limits,
  }).catch(async (reason: unknown) => {
    await db.close();
    throw reason;
  });
  let closing: Promise<void> | undefined;
  return {
    url: `postgres://postgres@${loopbackHost}:${port}/postgres`,
    close() {
      closing ??= server.close().then(() => db.close());
      return closing;
    },
  };
}
