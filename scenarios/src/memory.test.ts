import { describeScenarios } from "./describe-scenarios.ts";
import { scenariosOver } from "./scenarios.ts";
import { memoryTransport } from "./sites/memory-site.ts";

describeScenarios(memoryTransport, scenariosOver("memory"));
