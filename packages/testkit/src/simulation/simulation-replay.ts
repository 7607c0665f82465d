/** Seed and path of the interleavings that a campaign runs. */
export interface SimulationReplay {
  /** Undefined for a random seed. */
  readonly seed: number | undefined;
  /** Runs only the shortest counterexample of a failed campaign. */
  readonly path: string | undefined;
}

/** A constant seed, so that a failure is caused by a change of the code. */
const defaultSeed = 20_251;

/**
 * Reads `PARSEC_SIM_SEED` (an integer, or `random`) and `PARSEC_SIM_PATH`, as a failed campaign prints them.
 * Uses a constant seed without them. Throws when one is invalid, or a path has no seed.
 */
export function simulationReplayFromEnv(
  env: Readonly<Record<string, string | undefined>>,
): SimulationReplay {
  const { PARSEC_SIM_SEED: seed = "", PARSEC_SIM_PATH: path = "" } = env;
  if (path !== "" && !/^\d+(:\d+)*$/.test(path)) {
    throw new Error(
      `PARSEC_SIM_PATH must be numbers separated by colons, got ${JSON.stringify(path)}`,
    );
  }
  if (seed === "" || seed === "random") {
    if (path !== "")
      throw new Error("PARSEC_SIM_PATH needs the PARSEC_SIM_SEED that was printed with it");
    return { seed: seed === "random" ? undefined : defaultSeed, path: undefined };
  }
  if (!/^-?\d+$/.test(seed)) {
    throw new Error(`PARSEC_SIM_SEED must be "random" or an integer, got ${JSON.stringify(seed)}`);
  }
  return { seed: Number(seed), path: path === "" ? undefined : path };
}
