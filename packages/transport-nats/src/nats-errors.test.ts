import { errors } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import { expect, it } from "vitest";
import {
  bucketFailed,
  connectionFailed,
  isBucketGone,
  isWithoutJetStream,
  notConnected,
  refusalText,
  refusedBy,
  unreachable,
  withoutJetStream,
} from "./nats-errors.ts";

it.each([
  [new errors.NoRespondersError("s"), "b cannot be asked: nobody serves under its name"],
  [new errors.ClosedConnectionError(), "b cannot be asked: the connection to NATS was closed"],
  [new ParsecError("MALFORMED_FRAME", "odd"), "b cannot be asked: its answer cannot be read: odd"],
  [new RangeError("a\nbug"), "b cannot be asked: a bug"],
  ["thrown text", "b cannot be asked: it failed"],
])("turns what went wrong on the way into PEER_UNREACHABLE: %s", (cause, message) => {
  expect(unreachable("b", cause)).toMatchObject({ code: "PEER_UNREACHABLE", message, cause });
});

it("keeps an error that says it already", () => {
  const error = notConnected("b", undefined);
  expect(unreachable("b", error)).toBe(error);
});

it("carries a refusal across: overload stays, all else means that the peer could not be asked", () => {
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

it("tells a server that does not know us from one that is away", () => {
  const code = (error: unknown) => connectionFailed(error).code;
  expect(code(new errors.AuthorizationError("no"))).toBe("UNAUTHENTICATED");
  expect(code(new errors.UserAuthenticationExpiredError("old"))).toBe("UNAUTHENTICATED");
  expect(code(new errors.ConnectionError("refused"))).toBe("PEER_UNREACHABLE");
  expect(code(undefined)).toBe("PEER_UNREACHABLE");
});

it("knows what is missing by name, because a connection may come from another copy of the client", () => {
  const named = (name: string, message: string): Error =>
    Object.assign(new Error(message), { name });
  const foreign = named("NoResponders", "no responders");
  const notEnabled = named("JetStreamNotEnabled", "jetstream is not enabled");
  const noStream = named("StreamNotFoundError", "stream not found");
  expect(isWithoutJetStream(new Error("request", { cause: foreign }))).toBe(true);
  expect(isWithoutJetStream(notEnabled)).toBe(true);
  expect(isWithoutJetStream(noStream)).toBe(false);
  expect(isBucketGone(noStream)).toBe(true);
  expect(isBucketGone(new errors.TimeoutError())).toBe(false);
  expect(withoutJetStream(notEnabled)).toMatchObject({ code: "INVALID_ARGUMENT" });
  expect(bucketFailed(noStream).message).toBe("the membership bucket: stream not found");
});
