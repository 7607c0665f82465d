import * as core from "@parsec/core";

console.log(Object.keys(core));
