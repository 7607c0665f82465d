/** What the command line asks of every suite. */
export interface Plan {
  readonly runs: number;
  /** How long one load is timed. */
  readonly seconds: number;
  /** How long the same load runs before that, so that V8 has compiled what it needs. */
  readonly warmUpSeconds: number;
  /** Everything once and very briefly: shows that the bench works, and its figures are worth nothing. */
  readonly smoke: boolean;
  /** One core each side, so that a figure is a figure per core; undefined where nothing is pinned. */
  readonly askingCore: number | undefined;
  readonly servingCore: number | undefined;
  /** A nats-server to take instead of the one that is found. */
  readonly natsProgram: string | undefined;
  readonly say: (line: string) => void;
}

/** How often something is done: a hundredth of `count` in a smoke run. */
export function scaled(plan: Plan, count: number): number {
  return plan.smoke ? Math.ceil(count / 100) : count;
}
