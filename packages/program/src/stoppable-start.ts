/** What a program starts, and how the program ends. */
export interface StoppableStart<Started> {
  /** What was started; undefined when `stop` came before it was there. Rejects as the start did. */
  readonly started: Promise<Started | undefined>;
  /**
   * Closes what was started, or is about to be, and ends the process. Only the first call counts.
   * `lastLine` is printed when all is closed: nothing that the closing logs can follow it.
   */
  stop(exitCode: number, lastLine?: string): void;
}

export interface StoppableStartOptions {
  /** After that nothing is waited for any more, and the exit code is 1. */
  readonly stopLimitMs: number;
}

/**
 * Starts what a program is about; a stop is possible from then on. A start whose signal has fired must
 * clean up by itself and reject; that is no failure of the program.
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
          // Without it there is nothing left to close.
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
