import { type RunningProgram, runProgram, waitForOutput } from "@parsec/program/testing";

/** A node in its own process. */
export interface NodeProgram {
  readonly id: string;
  readonly url: string;
  readonly program: RunningProgram;
  /** Sends SIGTERM; resolves with the exit code. */
  leave(): Promise<number | NodeJS.Signals>;
  /** Sends SIGKILL. */
  kill(): Promise<void>;
}

export interface NodeProgramOptions {
  readonly id?: string;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** False to wait only until the node listens. Defaults to true: until it is a member of the ring. */
  readonly isJoined?: boolean;
}

/** Starts a node on a free port and waits until it is a member of the ring; rejects with its output when it ends first. */
export async function startNodeProgram(options: NodeProgramOptions = {}): Promise<NodeProgram> {
  const { id = "node-1", args = [], env = {}, isJoined = true } = options;
  const program = runProgram("node", {
    args: ["--node", id, "--http", "127.0.0.1:0", ...args],
    env,
  });
  await waitForOutput(program, isJoined ? /"msg":"ready"/ : /"msg":"listening"/);
  const port = /"port":(\d+),.*"msg":"listening"/.exec(program.stdout())?.[1];
  return {
    id,
    program,
    url: `http://127.0.0.1:${port}`,
    leave() {
      program.kill("SIGTERM");
      return program.ended;
    },
    async kill() {
      program.kill("SIGKILL");
      await program.ended;
    },
  };
}
