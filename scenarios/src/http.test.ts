import { describeScenarios } from "./scenarios.ts";
import { httpTransport } from "./url-site.ts";

describeScenarios(httpTransport);
