/**
 * Milliseconds since the epoch. Token times need the calendar, which core's monotonic `Clock` does
 * not know; tests hand in their own. Defaults to `Date.now` everywhere.
 */
export type WallClock = () => number;
