import { describeScenarios } from "./describe-scenarios.ts";
import { scenariosOver } from "./scenarios.ts";
import { httpTransport } from "./url-site.ts";

describeScenarios(httpTransport, scenariosOver("http"));
