/** The reason for stopping when the parent process has ended without a message. */
export const supervisorGone = "the supervisor has gone";

/** The message that stops a node without hand-over, because all nodes stop. */
export const closeMessage = "close";

const signals = ["SIGTERM", "SIGINT", "SIGHUP"] as const;

/** Package managers forward a Ctrl-C that the terminal has already sent to this process; within this time it counts once. */
const repeatWithinMs = 200;

/**
 * Calls `stop` once: on SIGTERM, SIGINT or SIGHUP, on {@link closeMessage} from the parent process, or
 * when the parent has ended. Calls `giveUp` on a second signal. Omit it where the supervisor sends its own
 * signal after a Ctrl-C, which has already reached the whole process group.
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
  // Only a forked process has `send`. Its parent may already have ended.
  if (process.send === undefined) return;
  process.on("message", (message) => {
    if (message === closeMessage) begin(closeMessage);
  });
  if (process.connected) process.once("disconnect", () => begin(supervisorGone));
  else begin(supervisorGone);
}
