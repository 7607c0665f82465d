import { errors } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import { expect, it } from "vitest";
import { notConnected, unreachable } from "./nats-errors.ts";

it.each([
  [new errors.NoRespondersError("s"), "b cannot be asked: no node serves under this name"],
  [new errors.ClosedConnectionError(), "b cannot be asked: the connection to NATS was closed"],
  [new ParsecError("MALFORMED_FRAME", "odd"), "b cannot be asked: its answer cannot be read: odd"],
  [new RangeError("a\nbug"), "b cannot be asked: a bug"],
  ["thrown text", "b cannot be asked: it failed"],
])("translates errors of a request into PEER_UNREACHABLE: %s", (cause, message) => {
  expect(unreachable("b", cause)).toMatchObject({ code: "PEER_UNREACHABLE", message, cause });
});

it("keeps a PEER_UNREACHABLE error as it is", () => {
  const error = notConnected("b", undefined);
  expect(unreachable("b", error)).toBe(error);
});
