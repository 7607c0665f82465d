import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { onTestFinished } from "vitest";
import type { TelemetryEvents } from "../src/telemetry.ts";

/** What a channel publishes from now on until the test is over. */
export function recordedEvents<Name extends keyof TelemetryEvents>(
  name: Name,
): TelemetryEvents[Name][] {
  const events: TelemetryEvents[Name][] = [];
  const record = (message: unknown): void => {
    events.push(message as TelemetryEvents[Name]);
  };
  subscribe(name, record);
  onTestFinished(() => {
    unsubscribe(name, record);
  });
  return events;
}
