import { stormyPlans } from "./simulation-arbitrary.ts";
import { interleavings } from "./simulation-budget.ts";
import { describeSimulation } from "./simulation-suite.ts";

describeSimulation({
  name: "clusters that crash, split and disagree",
  plans: stormyPlans(),
  runs: interleavings.stormy,
});
