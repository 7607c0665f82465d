/** How many random interleavings a normal test run tries, by campaign; together at least 20,000. */
export const interleavings = { calm: 10_000, stormy: 12_000 } as const;
