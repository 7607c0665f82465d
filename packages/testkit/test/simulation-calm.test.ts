import { calmPlans } from "../src/simulation/plan/simulation-arbitrary.ts";
import { describeSimulation } from "../src/simulation/simulation-suite.ts";
import { interleavings } from "./interleavings.ts";

describeSimulation({
  name: "stable clusters, unreliable messages",
  plans: calmPlans(),
  runs: interleavings.calm,
});
