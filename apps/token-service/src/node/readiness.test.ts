import { expect, test } from "vitest";
import { watchReadiness } from "./readiness.ts";

test("is ready once each dependency has been available, also after later outages", async () => {
  let isThere = false;
  const readiness = watchReadiness(
    [
      { name: "jwks", check: () => true },
      {
        name: "database",
        check: async () => {
          if (!isThere) throw new Error("connection refused");
          return true;
        },
      },
    ],
    { retryMs: 1 },
  );
  await expect.poll(() => readiness.report().waitingFor).toEqual(["database"]);
  expect(readiness.report().status).toBe("starting");
  isThere = true;
  await readiness.whenReady();
  isThere = false;
  expect(readiness.report()).toEqual({ status: "ready", waitingFor: [] });
  readiness.startDraining();
  expect(readiness.report().status).toBe("draining");
  readiness.close();
});

test("rejects whenReady on close", async () => {
  const readiness = watchReadiness([{ name: "never", check: () => false }], { retryMs: 1 });
  readiness.close();
  readiness.close();
  await expect(readiness.whenReady()).rejects.toThrow();
});
