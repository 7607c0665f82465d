import { telemetryChannel } from "../../telemetry.ts";
import type { PeerHealthChange } from "../health/peer-health.ts";
import type { PeerWarning } from "./peer-options.ts";

const healthChannel = telemetryChannel("parsec:peer-health");

/** Returns a listener for circuit breakers that publishes each change as telemetry and as a warning. */
export function reportHealth(node: {
  readonly selfId: string;
  readonly onWarning: (warning: PeerWarning) => void;
}): (change: PeerHealthChange) => void {
  return ({ peerId, state, error }) => {
    if (healthChannel.hasSubscribers) {
      healthChannel.publish({ nodeId: node.selfId, peerId, state, errorCode: error?.code });
    }
    node.onWarning(
      state === "down"
        ? { kind: "peer-down", peerId, message: `${peerId} is down: ${error?.message}` }
        : { kind: "peer-up", peerId, message: `${peerId} is up again` },
    );
  };
}
