import { afterAll, beforeAll, describe, it } from "vitest";
import { type NatsProgram, newestNats, systemNats } from "./nats-programs.ts";
import { type NatsServer, startNatsServer } from "./nats-server.ts";
import { natsTransport } from "./nats-site.ts";
import { describeScenarios } from "./scenarios.ts";

function describeOn({ name, program, missing }: NatsProgram): void {
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
    describeScenarios(natsTransport("nats", () => server));
  });
}

describeOn(systemNats);
describeOn(newestNats);
