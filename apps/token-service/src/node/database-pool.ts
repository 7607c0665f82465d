import pg from "pg";

/** A pool of connections to the users' database. */
export type DatabasePool = pg.Pool;

/** Options of {@link openDatabasePool}. */
export interface DatabasePoolOptions {
  readonly url: string;
  readonly size: number;
  /** Limit of one statement, kept by the server, and of the wait for a connection. */
  readonly timeoutMs: number;
  /** A connection broke while nobody used it; the pool replaces it by itself. */
  readonly onError: (error: Error) => void;
}

/** Opens no connection yet: the process starts without its database and finds it later. */
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
  // Without a listener the server going away would end this process.
  pool.on("error", options.onError);
  return pool;
}

/**
 * Runs one statement. When `signal` fires the connection is given up, which is all that Postgres
 * needs to notice; the statement's own timeout ends it there. Rejects with what pg throws.
 */
export async function runStatement(
  pool: DatabasePool,
  statement: { readonly text: string; readonly values: readonly string[] },
  signal: AbortSignal,
): Promise<readonly Record<string, unknown>[]> {
  signal.throwIfAborted();
  const client = await pool.connect();
  let isReleased = false;
  const release = (error?: Error): void => {
    if (isReleased) return;
    isReleased = true;
    client.release(error);
  };
  const onAbort = (): void => release(new Error("nobody waits for the answer any more"));
  // A connection given up while a statement runs reports that as an error event too.
  const ignore = (): void => {};
  client.on("error", ignore);
  signal.addEventListener("abort", onAbort, { once: true });
  try {
    signal.throwIfAborted();
    const result = await client.query<Record<string, unknown>>({
      text: statement.text,
      values: [...statement.values],
    });
    release();
    return result.rows;
  } catch (reason) {
    // After an error only the server knows the connection's state; SQL errors leave it usable.
    release(isSqlError(reason) ? undefined : (reason as Error));
    throw reason;
  } finally {
    signal.removeEventListener("abort", onAbort);
    client.off("error", ignore);
  }
}

/** Errors that Postgres itself reported carry a five-character SQLSTATE. */
function isSqlError(reason: unknown): boolean {
  const { code } = reason as { code?: unknown };
  return typeof code === "string" && /^[0-9A-Z]{5}$/.test(code);
}
