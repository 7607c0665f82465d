import { describeScenarios } from "./describe-scenarios.ts";
import { memoryTransport } from "./memory-site.ts";
import { scenarios } from "./scenarios.ts";

describeScenarios(memoryTransport, scenarios);
