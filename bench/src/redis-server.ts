import type { ChildProcess } from "node:child_process";
import { freePort, untilListening } from "./loopback-port.ts";
import { startPinned } from "./run-program.ts";
import { programVersion } from "./versions.ts";

/** A server process that the bench started and must end. */
export interface StartedServer {
  readonly process: ChildProcess;
  readonly url: string;
  readonly version: string;
}

/** Starts a Redis without persistence; resolves with undefined when it is not installed. */
export async function startRedis(core: number | undefined): Promise<StartedServer | undefined> {
  const version = programVersion("redis-server", ["--version"]);
  if (version === undefined) return undefined;
  const port = await freePort();
  const where = ["--port", String(port), "--bind", "127.0.0.1"];
  const nothingKept = ["--save", "", "--appendonly", "no", "--loglevel", "warning"];
  const child = startPinned(["redis-server", ...where, ...nothingKept], core);
  await untilListening(port, "redis-server");
  return { process: child, url: `redis://127.0.0.1:${port}`, version: `redis-server ${version}` };
}
