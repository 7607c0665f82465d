import { type RunningProgram, runProgram, waitForOutput } from "@parsec/program/testing";

/** A cluster that was started by its program, with the data that the program prints. */
export interface ClusterProgram {
  readonly program: RunningProgram;
  readonly nodes: readonly { readonly id: string; readonly url: string; readonly pid: number }[];
  readonly curlLines: readonly string[];
  /** Stops the program by a signal; resolves with its exit code. */
  stop(signal: NodeJS.Signals): Promise<number | NodeJS.Signals>;
}

/** Starts `start.js` on free ports and waits until it has printed the welcome. */
export async function startClusterProgram(
  options: {
    readonly args?: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
    readonly detached?: boolean;
  } = {},
): Promise<ClusterProgram> {
  const { args = [], env = {}, detached = false } = options;
  const program = runProgram("start", { args: ["--port", "0", ...args], env, detached });
  await waitForOutput(program, /Ctrl-C stops/);
  const output = program.stdout();
  return {
    program,
    nodes: [...output.matchAll(/(node-\d) +(http:\S+) +\(pid (\d+)\)/g)].map(
      ([, id = "", url = "", pid]) => ({ id, url, pid: Number(pid) }),
    ),
    curlLines: output
      .split("\n")
      .map((line) => line.trim())
      .filter((line) => line.startsWith("curl ")),
    stop(signal) {
      program.kill(signal);
      return program.ended;
    },
  };
}
