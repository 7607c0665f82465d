import type { MemoryMessage, MessageFate } from "../../memory-transport/memory-wire.ts";
import type { SimulatedNetworkPlan } from "../plan/simulation-plan.ts";

/** Decides the delivery of messages. */
export interface SimulatedFate {
  of(message: MemoryMessage): MessageFate;
  /** Disables loss, garbling and duplicates. */
  makeReliable(): void;
}

/** Draws the delivery of each message by the plan, with a random stream per link and kind. */
export function createSimulatedFate(
  plan: SimulatedNetworkPlan,
  randomOf: (stream: string) => () => number,
): SimulatedFate {
  const spreadMs = plan.maxDelayMs - plan.minDelayMs;
  let isReliable = false;
  const draw = (message: MemoryMessage): MessageFate => {
    const random = randomOf(`${message.kind} ${message.from} ${message.to}`);
    const delayMs = Math.round(plan.minDelayMs + random() * spreadMs);
    const lost = random() < plan.loseShare;
    const garbled = random() < plan.garbleShare;
    const again = random() < plan.duplicateShare;
    const againAfterMs = again ? [delayMs + Math.round(random() * plan.maxLateMs)] : [];
    return isReliable ? { delayMs } : { delayMs, lost, garbled, againAfterMs };
  };
  return {
    of: draw,
    makeReliable() {
      isReliable = true;
    },
  };
}
