import type { MemoryMessage, MessageFate } from "./memory-wire.ts";
import type { SimulatedNetworkPlan } from "./simulation-plan.ts";

/** Draws what becomes of each message, per link and kind, as the plan says. */
export function createSimulatedFate(
  plan: SimulatedNetworkPlan,
  randomOf: (stream: string) => () => number,
): (message: MemoryMessage) => MessageFate {
  const spreadMs = plan.maxDelayMs - plan.minDelayMs;
  return (message) => {
    const random = randomOf(`${message.kind} ${message.from} ${message.to}`);
    const delayMs = Math.round(plan.minDelayMs + random() * spreadMs);
    const lost = random() < plan.loseShare;
    const garbled = random() < plan.garbleShare;
    const again = random() < plan.duplicateShare;
    const againAfterMs = again ? [delayMs + Math.round(random() * plan.maxLateMs)] : [];
    return { delayMs, lost, garbled, againAfterMs };
  };
}
