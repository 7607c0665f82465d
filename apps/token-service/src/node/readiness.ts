import { setTimeout as wait } from "node:timers/promises";

/** Something a node needs before it can serve. */
export interface Prerequisite {
  readonly name: string;
  /** Resolves to whether it is there; a rejection counts as "not yet". */
  check(): Promise<boolean> | boolean;
}

/** `draining` once a stop has begun. */
export interface ReadinessReport {
  readonly status: "ready" | "starting" | "draining";
  /** What is still missing; empty once everything has been there. */
  readonly waitingFor: readonly string[];
}

/** Whether a node should get requests. */
export interface Readiness {
  report(): ReadinessReport;
  /** Resolves when everything has been there once; rejects when closed first. */
  whenReady(): Promise<void>;
  startDraining(): void;
  close(): void;
}

/**
 * Checks the prerequisites until each has been there once. Later outages do not count: a node whose
 * database is away still answers from its cache, and all nodes leaving the load balancer at once
 * would turn a slow hour into an outage.
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
