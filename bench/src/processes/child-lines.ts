import type { ChildProcess } from "node:child_process";
import { createInterface } from "node:readline";
import { endProgram } from "./run-program.ts";

/** Exchanges lines with a child process. */
export class ChildLines {
  readonly process: ChildProcess;
  readonly #name: string;
  readonly #lines: AsyncIterator<string>;

  constructor(process: ChildProcess, name: string) {
    if (process.stdout === null) throw new Error(`${name} has no output`);
    this.process = process;
    this.#name = name;
    this.#lines = createInterface({ input: process.stdout })[Symbol.asyncIterator]();
  }

  /** Resolves with the next line; rejects when the child ends first. */
  async next(): Promise<string> {
    const { value, done } = await this.#lines.next();
    if (done) throw new Error(`${this.#name} ended early`);
    return value;
  }

  /** Sends one line of JSON and resolves with the parsed line that answers it. */
  async ask(question: object): Promise<unknown> {
    this.process.stdin?.write(`${JSON.stringify(question)}\n`);
    return JSON.parse(await this.next());
  }

  end(): Promise<void> {
    return endProgram(this.process);
  }
}
