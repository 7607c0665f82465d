/** How many random interleavings a normal test run tries, by campaign; together at least 20,000. */
export const interleavings = { calm: 8_000, rolling: 4_000, stormy: 10_000 } as const;
