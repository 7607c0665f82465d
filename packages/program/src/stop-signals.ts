/** The reason given when the forking process has ended without a word. */
export const supervisorGone = "the supervisor has gone";

/** What a supervisor sends to end a node without handing anything over, since all nodes end. */
export const closeMessage = "close";

const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Package managers pass a Ctrl-C on that the terminal has sent to this process already. */
const repeatWithinMs = 200;

/**
 * Calls `stop` once: on SIGTERM, SIGINT or SIGHUP, or when the process that forked this one says so or has gone.
 * Calls `giveUp` on a second signal. Leave it out where the supervisor sends its own signal on top of a Ctrl-C,
 * which has reached the whole process group.
 */
export function onStopSignal(stop: (reason: string) => void, giveUp: () => void = () => {}): void {
  let stoppingSinceMs: number | undefined;
  const begin = (reason: string): void => {
    if (stoppingSinceMs === undefined) {
      stoppingSinceMs = performance.now();
      stop(reason);
    } else if (
      (signals as readonly string[]).includes(reason) &&
      performance.now() - stoppingSinceMs > repeatWithinMs
    ) {
      giveUp();
    }
  };
  for (const signal of signals) process.on(signal, () => begin(signal));
  // Only a forked process can send. The one that forked it may have gone before anybody looked.
  if (process.send === undefined) return;
  process.on("message", (message) => {
    if (message === closeMessage) begin(closeMessage);
  });
  if (process.connected) process.once("disconnect", () => begin(supervisorGone));
  else begin(supervisorGone);
}
