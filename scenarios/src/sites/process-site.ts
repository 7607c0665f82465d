import { join } from "node:path";
import { type ForkedProgram, forkProgram } from "@parsec/program/testing";
import type { NodeTransport } from "../node/node-settings.ts";
import { remoteNode } from "./remote-node.ts";
import type { SiteNode, SiteOptions } from "./site.ts";

/** The node processes of one scenario. */
export class NodeProcesses {
  readonly #options: SiteOptions;
  readonly #running: Set<ForkedProgram> = new Set();

  constructor(options: SiteOptions) {
    this.#options = options;
  }

  async start(
    name: string,
    node: {
      readonly id: string;
      readonly transport: NodeTransport;
      readonly routes?: Readonly<Record<number, number>>;
    },
  ): Promise<SiteNode> {
    const { originUrl, policy, programsFolder } = this.#options;
    const { id, transport, routes = {} } = node;
    const settings = { transport, originUrl, policy, routes };
    const program = forkProgram(join(programsFolder, "node.js"), {
      env: { PARSEC_SCENARIO: JSON.stringify(settings) },
    });
    this.#running.add(program);
    void program.ended.then(() => this.#running.delete(program));
    await program.ready;
    const control = remoteNode(program);
    return {
      name,
      id,
      control,
      async leave() {
        await control.close();
        const end = await program.ended;
        if (end !== 0) throw new Error(`node ${name} must exit with 0 after close, got ${end}`);
      },
      async kill() {
        program.kill("SIGKILL");
        await program.ended;
      },
      pause: () => program.kill("SIGSTOP"),
      resume: () => program.kill("SIGCONT"),
    };
  }

  async close(): Promise<void> {
    const all = [...this.#running];
    for (const program of all) program.kill("SIGKILL");
    await Promise.all(all.map((program) => program.ended));
  }
}
