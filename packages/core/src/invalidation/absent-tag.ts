/**
 * The tag of negative entries in groups with tags. The tags of a value that does not exist are unknown, so
 * the invalidation of any tag drops negative entries as well.
 */
export const absentTag = "";
