import { errors } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import { expect, it } from "vitest";
import { notConnected, refusalText, refusedBy, unreachable } from "./nats-errors.ts";

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

it("translates a refusal: OVERLOADED stays, other codes become PEER_UNREACHABLE", () => {
  const carried = (error: ParsecError): ParsecError => refusedBy("b", refusalText(error));
  expect(carried(new ParsecError("OVERLOADED", "full"))).toMatchObject({ code: "OVERLOADED" });
  const refused = carried(new ParsecError("UNAUTHENTICATED", "x".repeat(1000)));
  expect(refused.code).toBe("PEER_UNREACHABLE");
  expect(refused.message).toContain("b refused with UNAUTHENTICATED: xxx");
  expect(refused.message.length).toBeLessThan(300);
  expect(refused.cause).toMatchObject({ code: "UNAUTHENTICATED" });
  for (const text of ["", "\n", "NO_SUCH_CODE\nx", "{}"]) {
    expect(refusedBy("b", text).code).toBe("PEER_UNREACHABLE");
  }
});
