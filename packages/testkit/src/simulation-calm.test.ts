import { calmPlans } from "./simulation-arbitrary.ts";
import { interleavings } from "./simulation-budget.ts";
import { describeSimulation } from "./simulation-suite.ts";

describeSimulation({
  name: "calm clusters, unreliable messages",
  plans: calmPlans(),
  runs: interleavings.calm,
});
