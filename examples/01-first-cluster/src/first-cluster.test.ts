import { expect, test } from "vitest";
import { runFirstCluster } from "./first-cluster.ts";

test("three nodes fetch once, and a change reaches all of them", async () => {
  const lines: string[] = [];
  await runFirstCluster((line) => lines.push(line));
  expect(lines).toEqual([
    "300 callers on 3 nodes asked for alice at once: 1 query",
    "alice became an admin; 3 nodes dropped what they had",
    "now the nodes say: admin, admin, admin (2 queries in all)",
  ]);
});
