import { join } from "node:path";
import { forkProgram } from "@parsec/program/testing";
import type { NodeControl } from "../node/node-control.ts";
import type { NodeSettings } from "../node/node-settings.ts";
import { remoteNode } from "./remote-node.ts";

/** One of the processes of a {@link WorkerNode}. */
export interface WorkerProcess {
  readonly control: NodeControl;
  /** Sends a signal. Resolves when the process has ended, for one that ends it. */
  kill(signal: "SIGKILL" | "SIGSTOP" | "SIGCONT"): Promise<void>;
  /** Closes it in good order and resolves when it has ended. */
  leave(): Promise<void>;
}

/** A node of several processes behind one port, as run by `node:cluster`. */
export interface WorkerNode {
  start(): Promise<WorkerProcess>;
  close(): Promise<void>;
}

/** Starts the primary of a node. `runtimeFolder` is where its processes find each other. */
export async function startWorkerNode(
  settings: NodeSettings,
  folders: { readonly programs: string; readonly runtime: string },
): Promise<WorkerNode> {
  const primary = forkProgram(join(folders.programs, "worker-primary.js"), {
    env: { PARSEC_SCENARIO: JSON.stringify(settings), XDG_RUNTIME_DIR: folders.runtime },
  });
  await primary.ready;
  return {
    async start() {
      const worker = (await primary.call({ kind: "start" })) as number;
      const control = remoteNode({
        call: (call: unknown) => primary.call({ kind: "call", worker, call }),
      });
      const ended = (): Promise<unknown> => primary.call({ kind: "ended", worker });
      return {
        control,
        async kill(signal) {
          await primary.call({ kind: "signal", worker, signal });
          if (signal === "SIGKILL") await ended();
        },
        async leave() {
          await control.close();
          await ended();
        },
      };
    },
    async close() {
      primary.kill("SIGKILL");
      await primary.ended;
    },
  };
}
