import { setTimeout as wait } from "node:timers/promises";

/** A dependency that must be available before a node serves. */
export interface Prerequisite {
  readonly name: string;
  /** Whether it is available; a rejection counts as false. */
  check(): Promise<boolean> | boolean;
}

/** The readiness of a node: `starting`, `ready`, or `draining` during a stop. */
export interface ReadinessReport {
  readonly status: "ready" | "starting" | "draining";
  /** Names of the dependencies that have not been available yet. */
  readonly waitingFor: readonly string[];
}

/** Tells load balancers whether a node should get requests. */
export interface Readiness {
  report(): ReadinessReport;
  /** Resolves when each dependency has been available once; rejects when closed first. */
  whenReady(): Promise<void>;
  startDraining(): void;
  close(): void;
}

/**
 * Checks each dependency until it has been available once. Later outages are ignored: without its
 * database a node still answers from its cache, and if all nodes left the load balancer at once, a
 * partial outage would become a complete one.
 */
export function watchReadiness(
  prerequisites: readonly Prerequisite[],
  options: { readonly retryMs: number },
): Readiness {
  const missing = new Set(prerequisites.map(({ name }) => name));
  const closing = new AbortController();
  let isDraining = false;

  const watch = async ({ name, check }: Prerequisite): Promise<void> => {
    for (;;) {
      closing.signal.throwIfAborted();
      try {
        if (await check()) break;
      } catch {
        // Not yet.
      }
      await wait(options.retryMs, undefined, { signal: closing.signal });
    }
    missing.delete(name);
  };
  const all = Promise.all(prerequisites.map(watch)).then(() => {});
  all.catch(() => {});

  return {
    report() {
      const waitingFor = [...missing];
      if (isDraining) return { status: "draining", waitingFor };
      return { status: waitingFor.length === 0 ? "ready" : "starting", waitingFor };
    },
    whenReady: () => all,
    startDraining() {
      isDraining = true;
    },
    close: () => closing.abort(),
  };
}
