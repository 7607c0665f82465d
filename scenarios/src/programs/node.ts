import { createClusterNode } from "../node/cluster-node.ts";
import { redirectConnections } from "../node/dial-routes.ts";
import type { NodeControl } from "../node/node-control.ts";
import type { NodeSettings } from "../node/node-settings.ts";
import { openPeers } from "../node/open-peers.ts";

/*
 * One node of a cluster. Its settings come from the environment, its commands as messages of the parent
 * process. It exits by itself after `close`, when nothing keeps it alive.
 */

const settings = JSON.parse(process.env.PARSEC_SCENARIO ?? "") as NodeSettings;
const { transport, originUrl, policy, routes } = settings;
redirectConnections(routes);
const { peers, isDown, join, afterClose } = openPeers(transport);
const node = createClusterNode({ peers, isDown, originUrl, policy });

interface Call {
  readonly method: keyof NodeControl;
  readonly argument: never;
}

async function perform({ method, argument }: Call): Promise<unknown> {
  const result = await node[method](argument);
  if (method === "close") {
    afterClose();
    process.off("disconnect", abandon);
    setImmediate(() => process.disconnect());
  }
  return result;
}

process.on("message", ({ number, call }: { readonly number: number; readonly call: Call }) => {
  perform(call).then(
    (result) => process.send?.({ number, result }),
    (error: unknown) => process.send?.({ number, error: String(error) }),
  );
});
/** The parent process has ended. */
function abandon(): void {
  process.exit(1);
}
process.once("disconnect", abandon);

await join();
process.send?.({ number: 0, result: "joined" });
