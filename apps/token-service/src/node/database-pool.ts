import { untilAborted } from "@parsec/core/authoring";
import pg from "pg";

/** A pool of connections to the users' database. */
export type DatabasePool = pg.Pool;

/** Options of {@link openDatabasePool}. */
export interface DatabasePoolOptions {
  readonly url: string;
  readonly size: number;
  /** Timeout of one statement, enforced by the server, and of the wait for a connection. */
  readonly timeoutMs: number;
  /** Called when an idle connection is lost. The pool replaces it. */
  readonly onError: (error: Error) => void;
}

/** Creates the pool without opening a connection, so that the process can start before its database. */
export function openDatabasePool(options: DatabasePoolOptions): DatabasePool {
  const { timeoutMs } = options;
  const pool = new pg.Pool({
    connectionString: options.url,
    max: options.size,
    connectionTimeoutMillis: timeoutMs,
    statement_timeout: timeoutMs,
    idleTimeoutMillis: 30_000,
    keepAlive: true,
    application_name: "parsec-token-service",
  });
  // Without a listener, a lost server would end this process.
  pool.on("error", options.onError);
  return pool;
}

/**
 * Runs one statement. When `signal` fires, it rejects with `ABORTED` and closes the connection; the
 * statement's timeout ends it on the server. Otherwise rejects with the error of pg.
 */
export async function runStatement(
  pool: DatabasePool,
  statement: { readonly text: string; readonly values: readonly string[] },
  signal: AbortSignal,
): Promise<readonly Record<string, unknown>[]> {
  signal.throwIfAborted();
  const client = await pool.connect();
  // A connection closed during a statement also emits an error event.
  const ignore = (): void => {};
  client.on("error", ignore);
  const keep = (): void => {
    client.off("error", ignore);
    client.release();
  };
  try {
    signal.throwIfAborted();
    const { text, values } = statement;
    const query = client.query<Record<string, unknown>>({ text, values: [...values] });
    const { rows } = await untilAborted(query, signal);
    keep();
    return rows;
  } catch (reason) {
    // SQL errors leave the connection usable; after any other error its state is unknown.
    if (isSqlError(reason)) keep();
    else client.release(reason as Error);
    throw reason;
  }
}

/** Whether Postgres reported the error: it then has a five-character SQLSTATE. */
function isSqlError(reason: unknown): boolean {
  const { code } = reason as { code?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code);
}
