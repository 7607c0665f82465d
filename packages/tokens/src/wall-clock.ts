/**
 * Returns milliseconds since the epoch. Token times need the time of day, which core's monotonic
 * `Clock` does not have. Defaults to `Date.now`; replaced in tests.
 */
export type WallClock = () => number;
