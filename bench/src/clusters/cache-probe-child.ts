import { ChildLines } from "../processes/child-lines.ts";
import { startProgram } from "../processes/run-program.ts";
import type {
  CacheProbeCommand,
  CacheProbeOutage,
  CacheProbeReport,
} from "../programs/cache-probe.ts";
import type { CacheNode } from "./cache-cluster.ts";

/** A process that sends requests to cache nodes in a loop; see `programs/cache-probe.ts`. */
export class CacheProbe {
  readonly #child: ChildLines;

  /** Starts a probe that sends requests to these nodes only. */
  static async start(nodes: readonly CacheNode[]): Promise<CacheProbe> {
    const child = new ChildLines(startProgram("cache-probe"), "the probe");
    await child.ask({ do: "aim", urls: nodes.map(({ url }) => url) } satisfies CacheProbeCommand);
    return new CacheProbe(child);
  }

  private constructor(child: ChildLines) {
    this.#child = child;
  }

  /** Discards earlier measurements and watches these partitions. */
  async watch(partitions: readonly number[]): Promise<void> {
    await this.#child.ask({ do: "watch", partitions } satisfies CacheProbeCommand);
  }

  async report(): Promise<CacheProbeReport> {
    return (await this.#child.ask({
      do: "report",
    } satisfies CacheProbeCommand)) as CacheProbeReport;
  }

  /** Kills the node; resolves once the watched partitions are served again. */
  async kill({ pid }: CacheNode): Promise<CacheProbeOutage> {
    const command: CacheProbeCommand = { do: "kill", pid };
    return (await this.#child.ask(command)) as CacheProbeOutage;
  }

  end(): Promise<void> {
    return this.#child.end();
  }
}
