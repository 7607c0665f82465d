/**
 * A word or phrase that a reader stumbles over.
 *
 * @typedef {object} PlainWord
 * @property {string} found any case; a space also stands for a line break, in a comment as well
 * @property {string} instead what to write
 * @property {readonly string[]} [except] phrases that contain it and are plain
 */

const noExceptions = ["longer", "more than", "less than", "fewer than", "later than", "such"];

/**
 * "X is no Y" reads like a riddle, "there is no Y" does not.
 *
 * @param {string} verb
 * @returns {PlainWord}
 */
const negation = (verb) => ({
  found: `${verb} no`,
  instead: `${verb} not a`,
  except: [`there ${verb} no`, ...noExceptions.map((word) => `${verb} no ${word}`)],
});

/** @type {readonly PlainWord[]} */
export const plainWords = [
  ...["is", "are", "was", "were"].map(negation),
  { found: "befall", instead: "happen to" },
  { found: "befalls", instead: "happens to" },
  { found: "befell", instead: "happened to" },
  { found: "by way of", instead: "through" },
  { found: "for ever", instead: "forever, or say what ends it" },
  { found: "for want of", instead: "without" },
  { found: "hitherto", instead: "until now" },
  { found: "in earnest", instead: "really, or leave it out" },
  { found: "in vain", instead: "without success" },
  { found: "lest", instead: "so that … not" },
  { found: "of no use", instead: "invalid, or say what is wrong" },
  { found: "sign of life", instead: "ping, heartbeat" },
  { found: "signs of life", instead: "pings, heartbeats" },
  { found: "somebody", instead: "a caller, a user, another process: say which" },
  { found: "the likes of", instead: "such as" },
  { found: "thereof", instead: "of it" },
  { found: "whence", instead: "from where" },
  { found: "whoever", instead: "a caller that, a node that: say which" },
  { found: "whomever", instead: "a caller that, a node that: say which" },
  { found: "without a word", instead: "without notice, silently" },
];
