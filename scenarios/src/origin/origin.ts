import { join } from "node:path";
import { forkProgram } from "@parsec/program/testing";

/** What a test asks of the origin's process. */
export type OriginCommand =
  | { readonly kind: "counts"; readonly keyPrefix: string }
  | { readonly kind: "delay"; readonly betweenMs: readonly [number, number] }
  | { readonly kind: "hold"; readonly keyPrefix: string }
  | { readonly kind: "release" };

export interface OriginCount {
  readonly key: string;
  readonly fetches: number;
  /** How many of them were under way at once, at most. */
  readonly mostOpen: number;
}

/** The system of record that the nodes of a test fetch from, in a process of its own. */
export interface Origin {
  readonly url: string;
  /** Of every key that was fetched and begins like this. */
  counts(keyPrefix: string): Promise<readonly OriginCount[]>;
  /** Each answer takes as long as chance says. */
  delay(betweenMs: readonly [number, number]): Promise<void>;
  /** What is asked from now on is not answered until the release. */
  hold(keyPrefix: string): Promise<void>;
  release(): Promise<void>;
  close(): Promise<void>;
}

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
