import {
  type KnownServer,
  type NatsServer,
  newestNats,
  startNatsServer,
  systemNats,
} from "@parsec/nats-fixtures";
import { afterAll, beforeAll, describe, it } from "vitest";
import { describeScenarios } from "./describe-scenarios.ts";
import { rollingRestart } from "./scenarios/rolling-restart.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import { serverRestart } from "./scenarios/server-restart.ts";
import { scenariosOver } from "./scenarios.ts";
import { natsTransport } from "./sites/nats-site.ts";

const isCampaign = process.env.PARSEC_CAMPAIGN === "1";

function describeOn({ name, program, missing }: KnownServer, scenarios: readonly Scenario[]): void {
  describe(name, () => {
    if (program === undefined) {
      it.skip(`needs the program of ${name}: ${missing}`);
      return;
    }
    let server: NatsServer;
    beforeAll(async () => {
      server = await startNatsServer(program);
    });
    afterAll(() => server?.dispose());
    describeScenarios(
      natsTransport("nats", () => server),
      scenarios,
    );
  });
}

const isNewestThere = newestNats.program !== undefined;
describeOn(isNewestThere ? newestNats : systemNats, scenariosOver("nats"));
// The scenarios that depend on the version of the server.
if (isCampaign && isNewestThere) describeOn(systemNats, [rollingRestart, serverRestart]);
