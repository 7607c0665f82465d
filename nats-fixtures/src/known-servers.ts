import { accessSync, constants } from "node:fs";
import { homedir } from "node:os";
import { delimiter, join } from "node:path";

/** One of the servers that the packages promise to work with. */
export interface KnownServer {
  readonly name: string;
  /** A running one with JetStream; absent when the tests were started without `pnpm test`. */
  readonly url: string | undefined;
  /** What to run for a test that needs one of its own; absent when the running one is a container. */
  readonly program: string | undefined;
  /** Why there is no program. */
  readonly missing: string;
}

const { env } = process;
const onlyUrl = "the one that runs is a container, which a test cannot restart";
const cacheFolder = join(env.XDG_CACHE_HOME || join(homedir(), ".cache"), "parsec");
const systemFolders = [...(env.PATH ?? "").split(delimiter), "/usr/sbin"];

export const systemNats: KnownServer = {
  name: "nats-server of the system",
  url: env.PARSEC_TEST_NATS_URL,
  program: env.PARSEC_TEST_NATS_PROGRAM ?? firstProgram(systemFolders, "nats-server"),
  missing:
    env.PARSEC_TEST_NATS_MISSING ??
    (env.PARSEC_TEST_NATS_URL === undefined ? "nats-server is not installed" : onlyUrl),
};

export const newestNats: KnownServer = {
  name: "newest nats-server",
  url: env.PARSEC_TEST_NATS_NEWEST_URL,
  program: env.PARSEC_TEST_NATS_NEWEST_PROGRAM ?? firstProgram([cacheFolder], "nats-server-2.15.2"),
  missing:
    env.PARSEC_TEST_NATS_NEWEST_MISSING ??
    (env.PARSEC_TEST_NATS_NEWEST_URL === undefined ? "its program is not in the cache" : onlyUrl),
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
