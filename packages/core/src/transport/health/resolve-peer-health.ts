import { rangeOption, wholeOption } from "../../option-checks.ts";
import type { PeerHealthOptions } from "./peer-health.ts";
import type { SilenceOptions } from "./silence-watch.ts";

const hourMs = 3_600_000;

/** Fills in the defaults of a transport's `health`. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolvePeerHealth(
  given: Partial<PeerHealthOptions & SilenceOptions>,
): PeerHealthOptions & SilenceOptions {
  const minBackoffMs = rangeOption("health.minBackoffMs", given.minBackoffMs, [200, 1, hourMs]);
  return {
    failures: wholeOption("health.failures", given.failures, [3, 1, 1_000_000]),
    minBackoffMs,
    maxBackoffMs: rangeOption("health.maxBackoffMs", given.maxBackoffMs, [
      Math.max(10_000, minBackoffMs),
      minBackoffMs,
      24 * hourMs,
    ]),
    pingTimeoutMs: rangeOption("health.pingTimeoutMs", given.pingTimeoutMs, [1000, 1, hourMs]),
    silenceMs: rangeOption("health.silenceMs", given.silenceMs, [1000, 1, hourMs]),
  };
}
