import { describeScenarios } from "./scenarios.ts";
import { grpcTransport } from "./url-site.ts";

describeScenarios(grpcTransport);
