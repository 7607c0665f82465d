import { describeScenarios } from "./describe-scenarios.ts";
import { scenarios } from "./scenarios.ts";
import { httpTransport } from "./url-site.ts";

describeScenarios(httpTransport, scenarios);
