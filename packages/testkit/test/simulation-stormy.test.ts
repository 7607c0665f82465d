import { stormyPlans } from "../src/simulation/plan/simulation-arbitrary.ts";
import { describeSimulation } from "../src/simulation/simulation-suite.ts";
import { interleavings } from "./interleavings.ts";

describeSimulation({
  name: "clusters that crash, split and disagree",
  plans: stormyPlans(),
  runs: interleavings.stormy,
});
