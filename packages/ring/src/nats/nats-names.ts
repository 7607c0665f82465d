const plain = /^[A-Za-z0-9-]+$/;

/** A name as one token of a subject or of a bucket's name: no two names share one. */
function natsToken(name: string): string {
  return plain.test(name) ? name : `_${Buffer.from(name).toString("base64url")}`;
}

/** The bucket where the nodes of a platform agree. */
export function bucketName(platform: string): string {
  return `parsec_ring_${natsToken(platform)}`;
}

/** Where one process of a node is reached: another after each start, so that nothing meant for the last one arrives. */
export function nodeSubject(options: {
  readonly platform: string;
  readonly node: string;
  readonly process: string;
}): string {
  const { platform, node, process } = options;
  return `parsec.ring.${natsToken(platform)}.${natsToken(node)}.${process}`;
}

const shape = /^parsec\.ring\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9]+$/;

/** Whether an answer may be published there: a message could name any subject of the server. */
export function isNodeSubject(subject: string): boolean {
  return shape.test(subject);
}
