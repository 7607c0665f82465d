import type { MemoryMessage, MessageFate } from "../../memory-transport/memory-wire.ts";
import type { SimulatedNetworkPlan } from "../plan/simulation-plan.ts";

/** What becomes of messages, until it is made reliable. */
export interface SimulatedFate {
  of(message: MemoryMessage): MessageFate;
  /** From now on every message arrives, once and whole. */
  makeReliable(): void;
}

/** Draws what becomes of each message, per link and kind, as the plan says. */
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
