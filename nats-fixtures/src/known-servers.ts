import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** A version of nats-server that the packages support. */
export interface KnownServer {
  readonly name: string;
  /** URL of a running server with JetStream; undefined when the tests were not started by `pnpm test`. */
  readonly url: string | undefined;
  /** Path of the program, for tests that start servers; undefined when the running server is a container. */
  readonly program: string | undefined;
  /** The reason when there is no program. */
  readonly missing: string;
}

const { env } = process;
const onlyUrl = "the running server is a container, which a test cannot restart";
const cacheFolder = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "parsec");
const systemFolders = [...(env.PATH ?? "").split(delimiter), "/usr/sbin"];

/** The nats-server of the system, such as 2.9 in Debian. */
export const systemNats: KnownServer = {
  name: "nats-server of the system",
  url: env.PARSEC_TEST_NATS_URL,
  program: env.PARSEC_TEST_NATS_PROGRAM ?? firstProgram(systemFolders, "nats-server"),
  missing:
    env.PARSEC_TEST_NATS_MISSING ??
    (env.PARSEC_TEST_NATS_URL === undefined ? "nats-server is not installed" : onlyUrl),
};

/** The newest nats-server, which `pnpm test` installs into the user's cache. */
export const newestNats: KnownServer = {
  name: "newest nats-server",
  url: env.PARSEC_TEST_NATS_NEWEST_URL,
  program: env.PARSEC_TEST_NATS_NEWEST_PROGRAM ?? firstProgram([cacheFolder], "nats-server-2.15.2"),
  missing:
    env.PARSEC_TEST_NATS_NEWEST_MISSING ??
    (env.PARSEC_TEST_NATS_NEWEST_URL === undefined ? "its program is not in the cache" : onlyUrl),
};

function firstProgram(folders: readonly string[], name: string): string | undefined {
  return folders
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
