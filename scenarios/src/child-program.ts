import { fork } from "node:child_process";
import { join } from "node:path";

/** One of `src/programs` as a process of this one, which answers calls by messages. */
export interface ChildProgram {
  /** What it says when it is up. Rejects when it ends before. */
  readonly ready: Promise<unknown>;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Rejects with what the call threw there, or when the process ends before it has answered. */
  call(what: unknown): Promise<unknown>;
  kill(signal: NodeJS.Signals): void;
}

interface Reply {
  readonly number: number;
  readonly result?: unknown;
  readonly error?: string;
}

/** The environment holds the settings and nothing else of this process but its path. */
export function forkProgram(
  folder: string,
  program: { readonly name: string; readonly settings: unknown },
): ChildProgram {
  const child = fork(join(folder, `${program.name}.js`), {
    env: { PATH: process.env.PATH ?? "", PARSEC_SCENARIO: JSON.stringify(program.settings) },
    stdio: ["ignore", "inherit", "inherit", "ipc"],
  });
  const kill = (): void => void child.kill("SIGKILL");
  process.once("exit", kill);
  const ended = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once("close", (code, signal) => {
      process.off("exit", kill);
      resolve(signal ?? code ?? -1);
    });
  });
  const waiting = new Map<number, (reply: Reply) => void>();
  child.on("message", (reply: Reply) => waiting.get(reply.number)?.(reply));
  const reply = (number: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(number, ({ result, error }) => {
        waiting.delete(number);
        if (error === undefined) resolve(result);
        else reject(new Error(error));
      });
      void ended.then((end) => reject(new Error(`${program.name} has ended with ${end}`)));
    });
  let lastNumber = 0;
  return {
    ready: reply(0),
    ended,
    call(what) {
      const number = ++lastNumber;
      const answer = reply(number);
      // A process that has just died is no channel any more; `ended` says so.
      child.send({ number, call: what }, () => {});
      return answer;
    },
    kill: (signal) => void child.kill(signal),
  };
}
