import { freePort, untilListening } from "../processes/loopback-port.ts";
import { startPinned } from "../processes/run-program.ts";
import { programVersion } from "../versions.ts";
import type { StartedServer } from "./started-server.ts";

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
