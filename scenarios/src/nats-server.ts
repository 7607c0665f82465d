import { type ChildProcess, spawn } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePorts } from "./free-ports.ts";

const readyWithinMs = 20_000;

/** A nats-server with JetStream, at a port that stays the same when it is started again. */
export interface NatsServer {
  readonly port: number;
  stop(): Promise<void>;
  start(): Promise<void>;
  /** Stops it and deletes its files. */
  dispose(): Promise<void>;
}

export async function startNatsServer(program: string): Promise<NatsServer> {
  const folder = await mkdtemp(join(tmpdir(), "parsec-scenario-nats-"));
  const [port = 0] = await freePorts(1);
  const file = join(folder, "nats.conf");
  await writeFile(
    file,
    `listen: "127.0.0.1:${port}"\njetstream { store_dir: "${folder}/store" }\n`,
  );
  let child: ChildProcess | undefined;
  const start = async (): Promise<void> => {
    child = await launch(program, file);
  };
  const stop = async (): Promise<void> => {
    const running = child;
    child = undefined;
    if (running === undefined || running.exitCode !== null || running.signalCode !== null) return;
    const closed = new Promise((resolve) => running.once("close", resolve));
    running.kill("SIGKILL");
    await closed;
  };
  await start();
  return {
    port,
    start,
    stop,
    async dispose() {
      await stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function launch(program: string, file: string): Promise<ChildProcess> {
  const child = spawn(program, ["-c", file], { cwd: "/", stdio: ["ignore", "ignore", "pipe"] });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  child.once("close", () => process.off("exit", kill));
  let words = "";
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(
      () => reject(new Error(`nats-server is not ready: ${words}`)),
      readyWithinMs,
    );
    child.stderr?.on("data", (chunk: Buffer) => {
      words = (words + chunk.toString()).slice(-4000);
      if (!words.includes("Server is ready")) return;
      clearTimeout(timer);
      resolve();
    });
    child.once("error", reject);
    child.once("close", (code) => reject(new Error(`nats-server ended with ${code}: ${words}`)));
  });
  return child;
}
