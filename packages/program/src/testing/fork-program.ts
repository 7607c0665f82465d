import { fork } from "node:child_process";
import { basename } from "node:path";

/**
 * A program in a child process that answers the message `{ number, call }` with `{ number, result }` or
 * `{ number, error }`. It sends number 0 when it is ready.
 */
export interface ForkedProgram {
  /** The result of its first message, number 0. Rejects when the process ends first. */
  readonly ready: Promise<unknown>;
  /** Resolves with the exit code or the name of the signal. */
  readonly ended: Promise<number | NodeJS.Signals>;
  /** Rejects with the error of the call, or when the process ends before the answer. */
  call(what: unknown): Promise<unknown>;
  kill(signal: NodeJS.Signals): void;
}

interface Message {
  /** Absent in an event. */
  readonly number?: number;
  readonly result?: unknown;
  readonly error?: string;
  readonly event?: unknown;
}

/** Forks a program, which is killed when this process exits. It inherits only PATH from the environment. */
export function forkProgram(
  file: string,
  options: {
    readonly env: Readonly<Record<string, string>>;
    /** Called with each event that the program sends as `{ event }`. */
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
      void ended.then((end) => reject(new Error(`${basename(file)} ended with ${end}`)));
    });
  let lastNumber = 0;
  return {
    ready: answer(0),
    ended,
    call(what) {
      const number = ++lastNumber;
      const answered = answer(number);
      // Ignores a closed channel, because `ended` reports the end of the process.
      child.send({ number, call: what }, () => {});
      return answered;
    },
    kill: (signal) => void child.kill(signal),
  };
}
