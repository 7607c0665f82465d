/** The address of a node without configuration. */
export const defaultSelfUrl = "http://localhost:8080";
