import type { FrameInFlight } from "./frame-in-flight.ts";
import type { PendingLookup } from "./pending-lookups.ts";

/** Frames that only wait for slow origins, and what they wait for. */
export interface HeldFrames {
  readonly frames: readonly FrameInFlight[];
  readonly lookups: readonly PendingLookup[];
}

/**
 * The oldest of the held ones, half of them (but two at least), as many as one frame can carry
 * together. Undefined when that would free nothing. `open` lists frames from old to new.
 */
export function oldestHeld(
  open: Iterable<FrameInFlight>,
  limits: { readonly maxLookups: number; readonly maxFrameBytes: number },
): HeldFrames | undefined {
  const held = [...open].filter((frame) => frame.wasHeard && frame.waiting > 0);
  const lookups: PendingLookup[] = [];
  const frames: FrameInFlight[] = [];
  let bytes = 0;
  for (const frame of held.slice(0, Math.max(2, Math.ceil(held.length / 2)))) {
    bytes += frame.bytes.length;
    if (lookups.length + frame.waiting > limits.maxLookups || bytes > limits.maxFrameBytes) break;
    lookups.push(...frame.pending());
    frames.push(frame);
  }
  return frames.length < 2 ? undefined : { frames, lookups };
}
