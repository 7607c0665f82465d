import { ParsecError } from "@parsec/core";
import { expect, it } from "vitest";
import { Readiness } from "./nats-readiness.ts";

const failure = new ParsecError("UNAUTHENTICATED", "the server does not know us");

it("resolves waiting and later calls when the node is ready", async () => {
  const readiness = new Readiness();
  const waiting = Promise.all([readiness.wait(undefined), readiness.wait(undefined)]);
  readiness.succeed();
  await waiting;
  await readiness.wait(undefined);
  expect(readiness.isReady).toBe(true);
});

it("rejects with a failure until a success clears it", async () => {
  const readiness = new Readiness();
  const waiting = readiness.wait(undefined);
  readiness.fail(failure);
  await expect(waiting).rejects.toBe(failure);
  await expect(readiness.wait(undefined)).rejects.toBe(failure);
  readiness.succeed();
  await readiness.wait(undefined);
  readiness.fail(failure);
  await readiness.wait(undefined);
});

it("rejects only the caller that aborts", async () => {
  const readiness = new Readiness();
  const controller = new AbortController();
  const aborted = readiness.wait(controller.signal);
  const other = readiness.wait(undefined);
  controller.abort();
  await expect(aborted).rejects.toMatchObject({ code: "ABORTED" });
  await expect(readiness.wait(AbortSignal.abort())).rejects.toMatchObject({ code: "ABORTED" });
  readiness.succeed();
  await other;
});

it("rejects with CLOSED once the node is closed", async () => {
  const readiness = new Readiness();
  const waiting = readiness.wait(undefined);
  readiness.close();
  await expect(waiting).rejects.toMatchObject({ code: "CLOSED" });
  await expect(readiness.wait(undefined)).rejects.toMatchObject({ code: "CLOSED" });
});
