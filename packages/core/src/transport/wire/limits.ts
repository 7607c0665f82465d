import { invalidArgument } from "../../option-checks.ts";
import { largestCount } from "./layout.ts";

/** Limits of frames that a node accepts and sends, checked before anything is allocated. Sizes in bytes. */
export interface FrameLimits {
  /** Size of a request frame. Defaults to 4 MiB; at least the sum of the longest group name, key and input. */
  readonly maxFrameBytes: number;
  /** Lookups in one frame. Defaults to 1,024; at most 65,535. */
  readonly maxLookups: number;
  /** Size of a group name. Defaults to 1,024. */
  readonly maxGroupBytes: number;
  /** Size of a key or a tag. Defaults to 64 KiB. */
  readonly maxKeyBytes: number;
  /** Size of a data source's encoded input. Defaults to 1 MiB. */
  readonly maxInputBytes: number;
  /** Size of a value. Defaults to 16 MiB. */
  readonly maxValueBytes: number;
  /** Keys that one frame invalidates. Defaults to 10,000; at most 65,535. */
  readonly maxInvalidationKeys: number;
}

const defaults: FrameLimits = {
  maxFrameBytes: 4 * 1024 * 1024,
  maxLookups: 1024,
  maxGroupBytes: 1024,
  maxKeyBytes: 64 * 1024,
  maxInputBytes: 1024 * 1024,
  maxValueBytes: 16 * 1024 * 1024,
  maxInvalidationKeys: 10_000,
};

const largestFrameBytes = 1024 * 1024 * 1024;

/** Upper bound for the headers of a frame and one lookup, without its trace, which is omitted where it does not fit. */
const headersBytes = 64;

/** Checks frame limits and fills in defaults. Throws `INVALID_ARGUMENT` naming the field and its range. */
export function resolveFrameLimits(limits: Partial<FrameLimits> = {}): FrameLimits {
  const resolved = {
    maxFrameBytes: within(limits, "maxFrameBytes", largestFrameBytes),
    maxLookups: within(limits, "maxLookups", largestCount),
    maxGroupBytes: within(limits, "maxGroupBytes", largestCount),
    maxKeyBytes: within(limits, "maxKeyBytes", largestFrameBytes),
    maxInputBytes: within(limits, "maxInputBytes", largestFrameBytes),
    maxValueBytes: within(limits, "maxValueBytes", largestFrameBytes),
    maxInvalidationKeys: within(limits, "maxInvalidationKeys", largestCount),
  };
  const smallest =
    resolved.maxGroupBytes + resolved.maxKeyBytes + resolved.maxInputBytes + headersBytes;
  if (resolved.maxFrameBytes < smallest) {
    throw invalidArgument(
      `limits.maxFrameBytes must be at least ${smallest}, the size of a lookup at the other limits, got ${resolved.maxFrameBytes}`,
    );
  }
  return resolved;
}

function within(limits: Partial<FrameLimits>, field: keyof FrameLimits, largest: number): number {
  const value = limits[field] ?? defaults[field];
  if (!(Number.isInteger(value) && value >= 1 && value <= largest)) {
    throw invalidArgument(
      `limits.${field} must be a whole number from 1 to ${largest}, got ${String(value)}`,
    );
  }
  return value;
}
