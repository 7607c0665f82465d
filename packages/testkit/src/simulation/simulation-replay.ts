/** Which interleavings a campaign tries. */
export interface SimulationReplay {
  /** Undefined: new ones each time. */
  readonly seed: number | undefined;
  /** Leads straight to the smallest counterexample of a campaign that failed. */
  readonly path: string | undefined;
}

/** The same interleavings each time, so that a failure belongs to the change that caused it. */
const usualSeed = 20_251;

/**
 * Reads `PARSEC_SIM_SEED` (a number, or `random`) and `PARSEC_SIM_PATH`, as a failing campaign
 * prints them. Without them it is the usual seed. Throws when they cannot be meant.
 */
export function simulationReplayFromEnv(
  env: Readonly<Record<string, string | undefined>>,
): SimulationReplay {
  const { PARSEC_SIM_SEED: seed = "", PARSEC_SIM_PATH: path = "" } = env;
  if (path !== "" && !/^\d+(:\d+)*$/.test(path)) {
    throw new Error(
      `PARSEC_SIM_PATH must be numbers with colons between, got ${JSON.stringify(path)}`,
    );
  }
  if (seed === "" || seed === "random") {
    if (path !== "") throw new Error("PARSEC_SIM_PATH needs the PARSEC_SIM_SEED printed with it");
    return { seed: seed === "random" ? undefined : usualSeed, path: undefined };
  }
  if (!/^-?\d+$/.test(seed)) {
    throw new Error(`PARSEC_SIM_SEED must be "random" or an integer, not ${JSON.stringify(seed)}`);
  }
  return { seed: Number(seed), path: path === "" ? undefined : path };
}
