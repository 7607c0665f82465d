import { createManualClock } from "@parsec/testkit";
import { expect, it } from "vitest";
import { RefusalLog } from "./grpc-refusals.ts";

function setup() {
  const clock = createManualClock();
  const messages: string[] = [];
  const log = new RefusalLog({ clock, onWarning: ({ message }) => messages.push(message) });
  return { clock, messages, log };
}

it("reports each peer and reason once, and counts the rest", () => {
  const { clock, messages, log } = setup();
  for (let port = 1; port <= 5; port++) log.refused(`10.0.0.1:${port}`, "no signature");
  log.refused("10.0.0.2:1", "no signature");
  log.refused("10.0.0.1:9", "another reason");
  expect(messages).toEqual([
    "10.0.0.1:1: call refused: no signature",
    "10.0.0.2:1: call refused: no signature",
    "10.0.0.1:9: call refused: another reason",
  ]);
  clock.advance(10_000);
  log.refused("10.0.0.1:6", "no signature");
  expect(messages[3]).toBe("10.0.0.1:6: call refused: no signature (and 4 more before)");
  clock.advance(10_000);
  log.refused("10.0.0.1:7", "no signature");
  expect(messages[4]).toBe("10.0.0.1:7: call refused: no signature");
});
