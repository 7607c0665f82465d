import { rollingPlans } from "../src/simulation/plan/simulation-arbitrary.ts";
import { describeSimulation } from "../src/simulation/simulation-suite.ts";
import { interleavings } from "./interleavings.ts";

describeSimulation({
  name: "clusters whose nodes leave gracefully and restart",
  plans: rollingPlans(),
  runs: interleavings.rolling,
});
