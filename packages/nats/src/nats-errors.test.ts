import { errors } from "@nats-io/transport-node";
import { ParsecError } from "@parsec/core";
import { expect, it } from "vitest";
import {
  causedBy,
  isBucketGone,
  isWithoutJetStream,
  isWriteConflict,
  lacksJetStream,
  natsFailed,
  withoutJetStream,
} from "./nats-errors.ts";

it("distinguishes refused credentials from an unreachable server", () => {
  const code = (error: unknown) => natsFailed("NATS", error).code;
  expect(code(new errors.AuthorizationError("no"))).toBe("UNAUTHENTICATED");
  expect(code(new errors.UserAuthenticationExpiredError("old"))).toBe("UNAUTHENTICATED");
  expect(code(new errors.PermissionViolationError("no", "publish", "s"))).toBe("UNAUTHENTICATED");
  expect(code(new errors.TimeoutError())).toBe("TIMEOUT");
  expect(code(new errors.ConnectionError("refused"))).toBe("PEER_UNREACHABLE");
  expect(code(undefined)).toBe("PEER_UNREACHABLE");
});

it("recognizes errors by name, because a connection may come from another copy of the client", () => {
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
  expect(
    withoutJetStream({ need: "this needs it", remedy: "enable it" }, notEnabled),
  ).toMatchObject({
    code: "INVALID_ARGUMENT",
    message: "this needs it, but the NATS server or account has no JetStream: enable it",
  });
  expect(natsFailed("the membership bucket", noStream).message).toBe(
    "the membership bucket: stream not found",
  );
});

it("tells a server or account without JetStream from one that elects a leader", () => {
  const api = (code: number): Error => Object.assign(new Error("no"), { code });
  const silent = Object.assign(new Error("no responders"), { name: "NoResponders" });
  const [has, hasNot] = [{ info: { jetstream: true } }, { info: {} }];
  // The server has JetStream, the account has not.
  expect(lacksJetStream(api(10039), has)).toBe(true);
  expect(lacksJetStream(new Error("not enabled", { cause: api(10039) }), has)).toBe(true);
  expect(lacksJetStream(api(10076), hasNot)).toBe(true);
  expect(lacksJetStream(silent, hasNot)).toBe(true);
  expect(lacksJetStream(silent, { info: undefined })).toBe(true);
  expect(lacksJetStream(silent, has)).toBe(false);
  // "JetStream system temporarily unavailable"
  expect(lacksJetStream(api(10008), has)).toBe(false);
});

it("keeps an error that is translated already, and repeats one line of a foreign one", () => {
  const typed = new ParsecError("CLOSED", "closed");
  expect(natsFailed("NATS", typed)).toBe(typed);
  const long = natsFailed("NATS", new Error(`two\nlines ${"x".repeat(500)}`)).message;
  expect(long).toMatch(/^NATS: two lines x+$/);
  expect(long.length).toBeLessThanOrEqual(206);
  expect(natsFailed("NATS", undefined).message).toBe("NATS: it failed");
});

it("finds a name anywhere in a chain of causes, however long, and a conflict by its code", () => {
  const loop = new Error("loop");
  loop.cause = loop;
  expect(causedBy(loop, "TypeError")).toBe(false);
  expect(causedBy(new Error("a", { cause: new TypeError("b") }), "TypeError")).toBe(true);
  expect([10071, 10164, 10059].map((code) => isWriteConflict({ code }))).toEqual([
    true,
    true,
    false,
  ]);
});
