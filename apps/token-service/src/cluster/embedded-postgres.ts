import { PGlite } from "@electric-sql/pglite";
import { PGLiteSocketServer } from "@electric-sql/pglite-socket";
import { loopbackHost } from "./free-ports.ts";

/** A Postgres inside this process, in memory, that others reach by an ordinary DSN. */
export interface EmbeddedPostgres {
  readonly url: string;
  close(): Promise<void>;
}

/**
 * PGlite has a single session; its socket server takes one connection unless told otherwise and
 * turns further ones away. This is room for three nodes with their pools, the supervisor and a psql.
 * All share the one session, so statements queue up, and prepared statements must not be named.
 */
const maxConnections = 40;

/** Starts the database. Takes a second or two. */
export async function startEmbeddedPostgres(port: number): Promise<EmbeddedPostgres> {
  const db = await PGlite.create();
  const server = new PGLiteSocketServer({ db, host: loopbackHost, port, maxConnections });
  await server.start();
  let closing: Promise<void> | undefined;
  return {
    url: `postgres://postgres@${loopbackHost}:${port}/postgres`,
    close() {
      closing ??= server.stop().then(() => db.close());
      return closing;
    },
  };
}
