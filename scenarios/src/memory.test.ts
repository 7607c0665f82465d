import { memoryTransport } from "./memory-site.ts";
import { describeScenarios } from "./scenarios.ts";

describeScenarios(memoryTransport);
