/** The reason given when the forking process has ended without a word. */
export const supervisorGone = "the supervisor has gone";

/**
 * Calls `stop` once: on SIGTERM, SIGINT or SIGHUP, or when the process that forked this one has
 * gone. Later signals change nothing: Ctrl-C reaches a whole process group, and the supervisor
 * sends its own signal on top.
 */
export function onStopSignal(stop: (reason: string) => void): void {
  let isStopping = false;
  const begin = (reason: string): void => {
    if (isStopping) return;
    isStopping = true;
    stop(reason);
  };
  for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) {
    process.on(signal, () => begin(signal));
  }
  // Only a forked process can send. The one that forked it may have gone before anybody looked.
  if (process.send === undefined) return;
  if (process.connected) process.once("disconnect", () => begin(supervisorGone));
  else begin(supervisorGone);
}
