import { expect, test } from "vitest";
import { watchReadiness } from "./readiness.ts";

test("is ready once each dependency has been available, also after later outages", async () => {
  let isThere = false;
  const reported: string[][] = [];
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
    { retryMs: 1, onWaiting: (name, reason) => void reported.push([name, reason]) },
  );
  await expect.poll(() => readiness.report().waitingFor).toEqual(["database"]);
  await expect.poll(() => reported).toEqual([["database", "connection refused"]]);
  expect(readiness.report()).toMatchObject({
    status: "starting",
    reasons: { database: "connection refused" },
  });
  isThere = true;
  await readiness.whenReady();
  isThere = false;
  expect(readiness.report()).toEqual({ status: "ready", waitingFor: [], reasons: {} });
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
