// What authors of packages on top of Parsec share with it: option checks, aborted calls, a semaphore.
// Users of a cache need `@parsec/core`, authors of transports `@parsec/core/transport` as well.

export { abortedError, untilAborted } from "./abort.ts";
export type { NumberRange } from "./option-checks.ts";
export {
  choiceOption,
  describe,
  functionOption,
  invalidArgument,
  numberOption,
  rangeOption,
  secretsOption,
  signalOption,
  wholeOption,
} from "./option-checks.ts";
export type { Semaphore } from "./semaphore.ts";
export { createSemaphore } from "./semaphore.ts";
