import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, it } from "vitest";
import { type NatsServer, startNatsServer } from "./nats-server.ts";

/** One of the servers that this package promises to work with. */
interface KnownServer {
  readonly name: string;
  /** A running one with JetStream; absent when the tests were started without `pnpm test`. */
  readonly url: string | undefined;
  /** What to run for a test that needs one of its own; absent when the running one is a container. */
  readonly program: string | undefined;
  /** Why there is neither. */
  readonly missing: string;
}

const cacheFolder = join(process.env.XDG_CACHE_HOME || join(homedir(), ".cache"), "parsec");
const folders = [...(process.env.PATH ?? "").split(delimiter), "/usr/sbin"];

const knownServers: readonly KnownServer[] = [
  {
    name: "nats-server of the system",
    url: process.env.PARSEC_TEST_NATS_URL,
    program: process.env.PARSEC_TEST_NATS_PROGRAM ?? firstProgram(folders, "nats-server"),
    missing: process.env.PARSEC_TEST_NATS_MISSING ?? "nats-server is not installed",
  },
  {
    name: "newest nats-server",
    url: process.env.PARSEC_TEST_NATS_NEWEST_URL,
    program:
      process.env.PARSEC_TEST_NATS_NEWEST_PROGRAM ??
      firstProgram([cacheFolder], "nats-server-2.15.2"),
    missing: process.env.PARSEC_TEST_NATS_NEWEST_MISSING ?? "its program is not in the cache",
  },
];

function firstProgram(among: readonly string[], name: string): string | undefined {
  return among
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

/** A server that all tests of a file share. */
export interface SharedServer {
  readonly name: string;
  /** Not before the tests run. */
  readonly url: string;
}

/** Declares tests for each of the servers, which share a running one; or one skipped test that says what is missing. */
export function describeOnServers(declare: (server: SharedServer) => void): void {
  for (const { name, url, program, missing } of knownServers) {
    describe(name, () => {
      if (url === undefined && program === undefined) {
        it.skip(`needs ${name}: ${missing}`);
        return;
      }
      let own: NatsServer | undefined;
      beforeAll(async () => {
        if (url === undefined) own = await startNatsServer(program as string);
      });
      afterAll(() => own?.dispose());
      declare({
        name,
        get url() {
          return url ?? (own?.url as string);
        },
      });
    });
  }
}

/** Starts a server of the test's own. */
export type StartServer = (options?: Parameters<typeof startNatsServer>[1]) => Promise<NatsServer>;

/** Declares tests that start, stop and configure servers; or one skipped test that says what is missing. */
export function describeWithPrograms(declare: (start: StartServer, name: string) => void): void {
  for (const { name, program, missing } of knownServers) {
    describe(name, () => {
      if (program === undefined) {
        it.skip(`needs the program of ${name}: ${missing}`);
        return;
      }
      const started: NatsServer[] = [];
      // A test that failed has not come to the end of its servers.
      afterAll(async () => {
        for (const server of started) await server.dispose();
      });
      declare(async (options) => {
        const server = await startNatsServer(program, options);
        started.push(server);
        return server;
      }, name);
    });
  }
}
