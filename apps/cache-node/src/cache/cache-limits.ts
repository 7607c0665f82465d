/** What a cache node accepts. The edges check it; the formats below rely on it. */
export const cacheLimits = {
  maxKeyBytes: 1024,
  maxValueBytes: 1_048_576,
  /** A hundred years. */
  maxTtlSeconds: 3_153_600_000,
} as const;
