/** The settings of a run, which every suite gets. */
export interface Plan {
  readonly runs: number;
  /** Measured duration of one load. */
  readonly seconds: number;
  /** Duration of the same load before the measurement, so that V8 has compiled the hot code. */
  readonly warmUpSeconds: number;
  /** Runs everything once and very briefly: a check that the bench works, without meaningful figures. */
  readonly smoke: boolean;
  /** Client and server are pinned to one core each, so that a figure is a figure per core; undefined: not pinned. */
  readonly clientCore: number | undefined;
  readonly serverCore: number | undefined;
  /** A nats-server to use instead of the one that is found. */
  readonly natsProgram: string | undefined;
  readonly say: (line: string) => void;
}

/** `count`, or a hundredth of it in a smoke run. */
export function scaled(plan: Plan, count: number): number {
  return plan.smoke ? Math.ceil(count / 100) : count;
}
