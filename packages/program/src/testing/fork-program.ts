import { fork } from "node:child_process";
import { basename } from "node:path";

/**
 * A program in a process of its own, which answers calls by messages: to `{ number, call }` with
 * `{ number, result }` or `{ number, error }`. Under number 0 it says that it is up.
 */
export interface ForkedProgram {
  /** What it says when it is up. Rejects when it ends before. */
  readonly ready: Promise<unknown>;
  /** Resolves with the exit code, or the signal's name. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Rejects with what the call threw there, or when the process ends before it has answered. */
  call(what: unknown): Promise<unknown>;
  kill(signal: NodeJS.Signals): void;
}

interface Message {
  /** Absent: it was not asked. */
  readonly number?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly event?: unknown;
}

/** Forks a program, which dies with this process. It sees nothing of this process's environment but PATH. */
export function forkProgram(
  file: string,
  options: {
    readonly env: Readonly<Record<string, string>>;
    /** Gets what the program tells unasked, as `{ event }`. */
    readonly onEvent?: (event: unknown) => void;
  },
): ForkedProgram {
  const child = fork(file, {
    env: { PATH: process.env.PATH ?? "", ...options.env },
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
  const waiting = new Map<number, (message: Message) => void>();
  child.on("message", (message: Message) => {
    if (message.number === undefined) options.onEvent?.(message.event);
    else waiting.get(message.number)?.(message);
  });
  const answer = (number: number): Promise<unknown> =>
    new Promise((resolve, reject) => {
      waiting.set(number, ({ result, error }) => {
        waiting.delete(number);
        if (error === undefined) resolve(result);
        else reject(new Error(error));
      });
      void ended.then((end) => reject(new Error(`${basename(file)} has ended with ${end}`)));
    });
  let lastNumber = 0;
  return {
    ready: answer(0),
    ended,
    call(what) {
      const number = ++lastNumber;
      const answered = answer(number);
      // A process that has just died is no channel any more; `ended` says so.
      child.send({ number, call: what }, () => {});
      return answered;
    },
    kill: (signal) => void child.kill(signal),
  };
}
