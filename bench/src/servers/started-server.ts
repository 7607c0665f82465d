import type { ChildProcess } from "node:child_process";

/** A server process that the bench started and must end. */
export interface StartedServer {
  readonly process: ChildProcess;
  readonly url: string;
  readonly version: string;
}
