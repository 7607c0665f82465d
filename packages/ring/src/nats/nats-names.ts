const plain = /^[A-Za-z0-9-]+$/;

/** Encodes a name as one token of a subject or of a bucket's name, without collisions. */
function natsToken(name: string): string {
  return plain.test(name) ? name : `_${Buffer.from(name).toString("base64url")}`;
}

/** The bucket of a platform. */
export function bucketName(platform: string): string {
  return `parsec_ring_${natsToken(platform)}`;
}

/** The subject of one process of a node: changes with each start, so that messages to an earlier process do not arrive. */
export function nodeSubject(options: {
  readonly platform: string;
  readonly node: string;
  readonly process: string;
}): string {
  const { platform, node, process } = options;
  return `parsec.ring.${natsToken(platform)}.${natsToken(node)}.${process}`;
}

const shape = /^parsec\.ring\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9]+$/;

/** True for the subject of a node: an answer must not be published to any other subject that a message names. */
export function isNodeSubject(subject: string): boolean {
  return shape.test(subject);
}
