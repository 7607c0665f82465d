const conditions = ["@parsec/source"];

/** Tests import the sources of other packages, so nothing has to be built first. */
export const fromSource = { resolve: { conditions }, ssr: { resolve: { conditions } } };
