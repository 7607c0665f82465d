import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, test } from "vitest";
import { type EmbeddedNats, startEmbeddedNats } from "../src/nats/embedded-nats.ts";

/** One of the servers that nodes meet by. */
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

const systemServer: KnownServer = {
  name: "nats-server of the system",
  url: process.env.PARSEC_TEST_NATS_URL,
  program: process.env.PARSEC_TEST_NATS_PROGRAM ?? firstProgram(folders, "nats-server"),
  missing: process.env.PARSEC_TEST_NATS_MISSING ?? "nats-server is not installed",
};

const newestServer: KnownServer = {
  name: "newest nats-server",
  url: process.env.PARSEC_TEST_NATS_NEWEST_URL,
  program:
    process.env.PARSEC_TEST_NATS_NEWEST_PROGRAM ??
    firstProgram([cacheFolder], "nats-server-2.15.2"),
  missing: process.env.PARSEC_TEST_NATS_NEWEST_MISSING ?? "its program is not in the cache",
};

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

/** The program of the system's server; undefined, with the reason, where there is none. */
export function natsProgram(): Pick<KnownServer, "program" | "missing"> {
  return systemServer;
}

/** A server that all tests of a file share. */
export interface SharedServer {
  /** Not before the tests run. */
  readonly url: string;
}

/** Declares tests for each of the servers, which share a running one; or one skipped test that says what is missing. */
export function describeOnServers(declare: (server: SharedServer) => void): void {
  for (const server of [systemServer, newestServer]) describeOn(server, declare);
}

/** Declares tests for which it does not matter which server it is. */
export function describeOnOneServer(declare: (server: SharedServer) => void): void {
  const isThere = ({ url, program }: KnownServer): boolean => (url ?? program) !== undefined;
  describeOn([newestServer, systemServer].find(isThere) ?? systemServer, declare);
}

function describeOn(known: KnownServer, declare: (server: SharedServer) => void): void {
  const { name, url, program, missing } = known;
  describe(name, () => {
    if (url === undefined && program === undefined) {
      test.skip(`needs ${name}: ${missing}`);
      return;
    }
    let own: EmbeddedNats | undefined;
    beforeAll(async () => {
      if (url === undefined) own = await startEmbeddedNats(program as string);
    });
    afterAll(() => own?.close());
    declare({
      get url() {
        return url ?? (own?.url as string);
      },
    });
  });
}
