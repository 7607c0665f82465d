// For packages built on Parsec: option checks, aborted calls, a semaphore. Applications import
// `@parsec/core`; transports import `@parsec/core/transport` as well.

export { abortedError, untilAborted } from "./abort.ts";
export type { NumberRange, OptionNames } from "./option-checks.ts";
export {
  choiceOption,
  describe,
  functionOption,
  invalidArgument,
  knownOptions,
  numberOption,
  rangeOption,
  secretsOption,
  signalOption,
  wholeOption,
} from "./option-checks.ts";
export type { Semaphore } from "./semaphore.ts";
export { createSemaphore } from "./semaphore.ts";
