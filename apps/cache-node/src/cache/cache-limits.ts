/** Limits of keys, values and lifetimes. The HTTP layer checks them; the formats rely on them. */
export const cacheLimits = {
  maxKeyBytes: 1024,
  maxValueBytes: 1_048_576,
  /** A hundred years. */
  maxTtlSeconds: 3_153_600_000,
} as const;
