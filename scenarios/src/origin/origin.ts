import { join } from "node:path";
import { forkProgram } from "@parsec/program/testing";

/** A command of a test to the origin's process. */
export type OriginCommand =
  | { readonly kind: "counts"; readonly keyPrefix: string }
  | { readonly kind: "delay"; readonly betweenMs: readonly [number, number] }
  | { readonly kind: "hold"; readonly keyPrefix: string }
  | { readonly kind: "release" };

export interface OriginCount {
  readonly key: string;
  readonly fetches: number;
  /** Maximum number of concurrent fetches. */
  readonly mostOpen: number;
}

/** The system of record of the nodes, in its own process. */
export interface Origin {
  readonly url: string;
  /** Counts of all fetched keys with the prefix. */
  counts(keyPrefix: string): Promise<readonly OriginCount[]>;
  /** Sets the delay of answers, drawn at random between the two limits. */
  delay(betweenMs: readonly [number, number]): Promise<void>;
  /** Holds the answers to further fetches of keys with the prefix until `release`. */
  hold(keyPrefix: string): Promise<void>;
  release(): Promise<void>;
  /** Kills the process. */
  close(): Promise<void>;
}

/** Starts the origin program from the folder of built programs. */
export async function startOrigin(programsFolder: string): Promise<Origin> {
  const program = forkProgram(join(programsFolder, "origin.js"), { env: {} });
  const call = (command: OriginCommand): Promise<unknown> => program.call(command);
  const url = (await program.ready) as string;
  return {
    url,
    counts: (keyPrefix) => call({ kind: "counts", keyPrefix }) as Promise<readonly OriginCount[]>,
    delay: (betweenMs) => call({ kind: "delay", betweenMs }) as Promise<void>,
    hold: (keyPrefix) => call({ kind: "hold", keyPrefix }) as Promise<void>,
    release: () => call({ kind: "release" }) as Promise<void>,
    async close() {
      program.kill("SIGKILL");
      await program.ended;
    },
  };
}
