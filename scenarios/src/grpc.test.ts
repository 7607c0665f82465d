import { describeScenarios } from "./describe-scenarios.ts";
import { scenarios } from "./scenarios.ts";
import { grpcTransport } from "./url-site.ts";

describeScenarios(grpcTransport, scenarios);
