import { expect, test } from "vitest";
import { clusterOptionsFromFlags } from "./cluster-options.ts";

test("parses the flags of start", () => {
  expect(clusterOptionsFromFlags([])).toEqual({
    nodePorts: [8081, 8082, 8083],
    idpPort: 8084,
    postgresPort: 0,
    databaseUrl: undefined,
  });
  expect(clusterOptionsFromFlags(["--port", "9000"])).toMatchObject({
    nodePorts: [9000, 9001, 9002],
    idpPort: 9003,
  });
  expect(clusterOptionsFromFlags(["--port=0", "--postgres-port=5555"])).toMatchObject({
    nodePorts: [0, 0, 0],
    idpPort: 0,
    postgresPort: 5555,
  });
  expect(clusterOptionsFromFlags(["--help"])).toBeUndefined();
  for (const args of [
    ["--port", "65534"],
    ["--idp-port", "x"],
    ["--database-url", "mysql://x"],
  ]) {
    expect(() => clusterOptionsFromFlags(args)).toThrow(
      expect.objectContaining({ code: "INVALID_ARGUMENT" }),
    );
  }
});
