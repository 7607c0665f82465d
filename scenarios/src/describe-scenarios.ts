import { afterAll, beforeAll, describe, inject, it } from "vitest";
import { Cluster } from "./cluster/cluster.ts";
import { type Origin, startOrigin } from "./origin/origin.ts";
import type { Scenario } from "./scenarios/scenario.ts";
import type { ScenarioTransport } from "./sites/site.ts";

/** Declares a test for each scenario over one transport. All share one origin. */
export function describeScenarios(
  transport: ScenarioTransport,
  scenarios: readonly Scenario[],
): void {
  describe(transport.name, () => {
    const programsFolder = inject("programs");
    let origin: Origin;
    beforeAll(async () => {
      origin = await startOrigin(programsFolder);
    });
    afterAll(() => origin?.close());

    for (const { name, policy, needs, isolating = false, timeoutMs, run } of scenarios) {
      const reason = needs && transport.cannot[needs];
      if (reason !== undefined) {
        it.skip(`${name}: ${reason}`);
        continue;
      }
      it(name, { ...(timeoutMs && { timeout: timeoutMs }) }, async (context) => {
        const originUrl = origin.url;
        const site = await transport.open({ originUrl, programsFolder, policy, isolating });
        const cluster = new Cluster(site);
        context.onTestFinished(() => cluster.close());
        const note = async (figures: string): Promise<void> =>
          void (await context.annotate(figures));
        await run({ transport, cluster, origin, note });
      });
    }
  });
}
