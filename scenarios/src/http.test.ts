import { describeScenarios } from "./describe-scenarios.ts";
import { scenariosOver } from "./scenarios.ts";
import { httpTransport } from "./sites/url-site.ts";

describeScenarios(httpTransport, scenariosOver("http"));
