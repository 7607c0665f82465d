/** The main part of a program, which can be stopped while it starts. */
export interface StoppableStart<Started> {
  /** The started part; undefined when `stop` was called before it was ready. Rejects when the start fails. */
  readonly started: Promise<Started | undefined>;
  /**
   * Closes the part, also during its start, and exits. Only the first call has an effect. `lastLine` is
   * printed after everything is closed, so that no log line follows it.
   */
  stop(exitCode: number, lastLine?: string): void;
}

/** Options of `startStoppable`. */
export interface StoppableStartOptions {
  /** Maximum duration of a stop. After it, the process exits with code 1. */
  readonly stopLimitMs: number;
}

/**
 * Starts the main part of a program. `stop` may be called at any time. When its signal fires, `start`
 * must clean up and reject, which does not count as a failure.
 */
export function startStoppable<Started extends { close(): Promise<void> }>(
  start: (signal: AbortSignal) => Promise<Started>,
  { stopLimitMs }: StoppableStartOptions,
): StoppableStart<Started> {
  const stopping = new AbortController();
  const starting = start(stopping.signal);
  return {
    started: starting.then(
      (started) => (stopping.signal.aborted ? undefined : started),
      (reason: unknown) => {
        if (!stopping.signal.aborted) throw reason;
        return undefined;
      },
    ),
    stop(exitCode, lastLine) {
      if (stopping.signal.aborted) return;
      setTimeout(() => process.exit(1), stopLimitMs).unref();
      stopping.abort();
      starting
        .then(
          (started) => started.close(),
          // The start failed: nothing to close.
          () => {},
        )
        .then(
          () => {
            if (lastLine === undefined) process.exit(exitCode);
            process.stdout.write(`${lastLine}\n`, () => process.exit(exitCode));
          },
          () => process.exit(1),
        );
    },
  };
}
