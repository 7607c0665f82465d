import { expect } from "vitest";
import { keysNamed, type Scenario, withoutCopies } from "./scenario.ts";

export const cutOff: Scenario = {
  name: "a node that was cut off serves no old value after the node that invalidated was killed and restarted",
  policy: withoutCopies,
  isolating: true,
  run: async ({ cluster, note }) => {
    const names = ["a", "b"];
    const keys = keysNamed("cut-off-", 40);
    await cluster.start(names);
    for (const name of names) await cluster.node(name).control.get(keys);
    cluster.isolate("a");
    const changes = await cluster.change("b", keys);
    const isolated = cluster.idsOf(["a"]);
    for (const { failed } of changes) expect(failed).toEqual(isolated);
    await cluster.node("b").kill();
    await cluster.startOne("b");
    cluster.heal();
    await cluster.untilAllServeNewest(names);
    await note(`both nodes serve the newest version of ${keys.length} keys`);
  },
};
