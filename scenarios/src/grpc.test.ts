import { describeScenarios } from "./describe-scenarios.ts";
import { scenariosOver } from "./scenarios.ts";
import { grpcTransport } from "./sites/url-site.ts";

describeScenarios(grpcTransport, scenariosOver("grpc"));
