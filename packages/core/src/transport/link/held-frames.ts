import type { FrameInFlight } from "./frame-in-flight.ts";
import type { PendingLookup } from "./pending-lookups.ts";

/** Frames held open by slow origins, and their waiting lookups. */
export interface HeldFrames {
  readonly frames: readonly FrameInFlight[];
  readonly lookups: readonly PendingLookup[];
}

/**
 * The older half of the held frames, at least two, as far as one frame can carry their lookups together.
 * Undefined when that would free no frame. `open` lists frames from oldest to newest.
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
