import type { ForkedProgram } from "@parsec/program/testing";
import type { Change, LoadReport, NodeControl, NodeState, Outcome } from "../node/node-control.ts";

/** Controls a node in another process. */
export function remoteNode(program: Pick<ForkedProgram, "call">): NodeControl {
  const call = (method: keyof NodeControl, argument?: unknown): Promise<unknown> =>
    program.call({ method, argument });
  return {
    get: (keys) => call("get", keys) as Promise<readonly Outcome[]>,
    change: (keys) => call("change", keys) as Promise<readonly Change[]>,
    updatePeers: (ids) => call("updatePeers", ids) as Promise<void>,
    startLoad: (plan) => call("startLoad", plan) as Promise<void>,
    loadSoFar: () => call("loadSoFar") as Promise<LoadReport>,
    stopLoad: () => call("stopLoad") as Promise<LoadReport>,
    state: () => call("state") as Promise<NodeState>,
    close: () => call("close") as Promise<void>,
  };
}
