import type { Ring } from "@parsec/ring";
import type { Logger } from "pino";

/** Logs the events of the ring. */
export function logRingEvents(ring: Ring, log: Logger): void {
  ring.subscribe((event) => {
    const { type, ...details } = event;
    switch (event.type) {
      case "owned":
        if (event.lost) log.error(details, "all copies of a partition were lost: it starts empty");
        else log.debug(details, "owns a partition");
        break;
      case "released":
        log.debug(details, "released a partition");
        break;
      case "table":
        log.debug(details, "the table changed");
        break;
      case "member-joined":
      case "member-left":
      case "unfenced":
        log.info(details, type);
        break;
      case "damaged":
        log.error(details, "a partition is not served");
        break;
      case "fenced":
        if (ring.state().status === "closed") log.debug(details, type);
        else log.warn(details, type);
        break;
      default:
        log.warn(details, type);
    }
  });
}

const remindAfterMs = 3_000;

/** Logs every few seconds why the node is not a member of the ring yet. Returns a function that stops it. */
export function remindOfWaiting(ring: Ring, log: Logger): () => void {
  const timer = setInterval(() => {
    const { lastError } = ring.state();
    log.warn({ reason: lastError ?? "unknown" }, "not a member of the ring yet");
  }, remindAfterMs);
  timer.unref();
  return () => clearInterval(timer);
}
