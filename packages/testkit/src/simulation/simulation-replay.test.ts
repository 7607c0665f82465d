import { expect, it } from "vitest";
import { simulationReplayFromEnv as read } from "./simulation-replay.ts";

it("reads the default seed, a random one, or a given one with its path", () => {
  expect(read({})).toEqual(read({ PARSEC_SIM_SEED: "", PARSEC_SIM_PATH: "" }));
  expect(read({}).seed).toBeTypeOf("number");
  expect(read({ PARSEC_SIM_SEED: "random" })).toEqual({ seed: undefined, path: undefined });
  expect(read({ PARSEC_SIM_SEED: "-7" })).toEqual({ seed: -7, path: undefined });
  expect(read({ PARSEC_SIM_SEED: "7", PARSEC_SIM_PATH: "3:0:1" })).toEqual({
    seed: 7,
    path: "3:0:1",
  });
});

it("rejects invalid seeds and paths", () => {
  expect(() => read({ PARSEC_SIM_SEED: "seven" })).toThrow(/PARSEC_SIM_SEED/);
  expect(() => read({ PARSEC_SIM_SEED: "1.5" })).toThrow(/PARSEC_SIM_SEED/);
  expect(() => read({ PARSEC_SIM_SEED: "1", PARSEC_SIM_PATH: "a" })).toThrow(/PARSEC_SIM_PATH/);
  expect(() => read({ PARSEC_SIM_PATH: "1:2" })).toThrow(/needs the PARSEC_SIM_SEED/);
});
