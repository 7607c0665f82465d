import { describeScenarios } from "./describe-scenarios.ts";
import { memoryTransport } from "./memory-site.ts";
import { scenariosOver } from "./scenarios.ts";

describeScenarios(memoryTransport, scenariosOver("memory"));
