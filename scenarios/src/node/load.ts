import { setImmediate as nextTurn, setTimeout as pause } from "node:timers/promises";
import {
  type Change,
  type LoadPlan,
  type LoadReport,
  machineNow,
  type Outcome,
} from "./node-control.ts";

/** Callers of one node, which get and change keys in loops and record the results. */
export class Load {
  readonly #plan: LoadPlan;
  readonly #on: {
    readonly get: (key: string) => Promise<Outcome>;
    readonly change: (key: string) => Promise<Change>;
  };
  readonly #failures: Map<string, number> = new Map();
  readonly #lastStartedAt: Map<string, Map<number, number>> = new Map();
  readonly #changes: Change[] = [];
  readonly #loops: readonly Promise<void>[];
  #requests = 0;
  #answered = 0;
  #longestMs = 0;
  #lastFailureAt: number | undefined = undefined;
  #stopped = false;

  constructor(
    plan: LoadPlan,
    on: {
      readonly get: (key: string) => Promise<Outcome>;
      readonly change: (key: string) => Promise<Change>;
    },
  ) {
    this.#plan = plan;
    this.#on = on;
    const { callers, changers = { count: 0, pauseMs: 0 } } = plan;
    this.#loops = [
      ...Array.from({ length: callers }, () => this.#repeat(plan.pauseMs, () => this.#get())),
      ...Array.from({ length: changers.count }, () =>
        this.#repeat(changers.pauseMs, () => this.#change()),
      ),
    ];
  }

  report(): LoadReport {
    return {
      requests: this.#requests,
      answered: this.#answered,
      failures: Object.fromEntries(this.#failures),
      lastFailureAt: this.#lastFailureAt,
      longestMs: this.#longestMs,
      reads: [...this.#lastStartedAt].flatMap(([key, versions]) =>
        [...versions].map(([version, lastStartedAt]) => ({ key, version, lastStartedAt })),
      ),
      changes: this.#changes,
    };
  }

  async stop(): Promise<LoadReport> {
    this.#stopped = true;
    await Promise.all(this.#loops);
    return this.report();
  }

  async #repeat(pauseMs: number, once: () => Promise<void>): Promise<void> {
    // The answer to `startLoad` is sent before the load starts.
    await nextTurn();
    while (!this.#stopped) {
      await once();
      await (pauseMs === 0 ? nextTurn() : pause(pauseMs));
    }
  }

  async #get(): Promise<void> {
    const key = this.#drawKey();
    this.#requests++;
    const startedAt = machineNow();
    const outcome = await this.#on.get(key);
    this.#longestMs = Math.max(this.#longestMs, machineNow() - startedAt);
    this.#answered++;
    if (typeof outcome === "string") {
      this.#fail(outcome);
      return;
    }
    let versions = this.#lastStartedAt.get(key);
    if (versions === undefined) {
      versions = new Map();
      this.#lastStartedAt.set(key, versions);
    }
    versions.set(outcome, Math.max(versions.get(outcome) ?? 0, startedAt));
  }

  async #change(): Promise<void> {
    try {
      this.#changes.push(await this.#on.change(this.#drawKey()));
    } catch (error) {
      this.#fail(`CHANGE_FAILED: ${error}`);
    }
  }

  #fail(code: string): void {
    this.#failures.set(code, (this.#failures.get(code) ?? 0) + 1);
    this.#lastFailureAt = machineNow();
  }

  #drawKey(): string {
    const { keyPrefix, keyCount } = this.#plan;
    return `${keyPrefix}${Math.floor(Math.random() * keyCount)}`;
  }
}
