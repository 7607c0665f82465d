const exitCodes = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 };

/**
 * Turns SIGINT, SIGTERM and SIGHUP into an abort, so that a script can shut down gracefully, and sets
 * the exit code that a shell expects.
 *
 * @returns {{ signal: AbortSignal, release: () => void }} `release` leaves the signals to others
 */
export function interruptible() {
  const interrupt = new AbortController();
  const stops = Object.entries(exitCodes).map(([name, code]) => {
    const stop = () => {
      process.exitCode = code;
      interrupt.abort();
    };
    process.on(name, stop);
    return () => process.off(name, stop);
  });
  return {
    signal: interrupt.signal,
    release: () => {
      for (const off of stops) off();
    },
  };
}
