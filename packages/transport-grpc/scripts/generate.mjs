// Generates src/grpc-proto-definitions.ts from the .proto files; with --print, prints it instead.
import { writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { loadSync } from "@grpc/proto-loader";

const files = ["groupcachepb/groupcache.proto", "grpc/health/v1/health.proto"];

/** The wire type of each field type: https://protobuf.dev/programming-guides/encoding/#structure */
const wireTypes = {
  TYPE_BOOL: 0,
  TYPE_ENUM: 0,
  TYPE_INT32: 0,
  TYPE_INT64: 0,
  TYPE_UINT32: 0,
  TYPE_UINT64: 0,
  TYPE_DOUBLE: 1,
  TYPE_BYTES: 2,
  TYPE_MESSAGE: 2,
  TYPE_STRING: 2,
};

const methods = [];
const tags = [];
const enums = [];

const definitions = loadSync(files, {
  includeDirs: [fileURLToPath(new URL("../proto", import.meta.url))],
  keepCase: true,
});
for (const [name, definition] of Object.entries(definitions)) {
  // Messages and enums have a format, services do not.
  if (definition.format === undefined) addService(name, definition);
  else if (definition.format.endsWith(" DescriptorProto")) addMessage(name, definition.type);
}

const source = `/* Generated from proto/ by \`pnpm generate\`; do not edit. */

/** The methods of the services. */
export const protoMethods = {
${methods.join("\n")}
} as const;

/** The tag of each field of the messages: number and wire type. */
export const protoTags = {
${tags.join("\n")}
} as const;

/** The numbers of the values of enums. */
export const protoEnums = {
${enums.join("\n")}
} as const;
`;

if (process.argv.includes("--print")) process.stdout.write(source);
else await writeFile(new URL("../src/grpc-proto-definitions.ts", import.meta.url), source);

function addService(service, definition) {
  for (const [name, { path, requestStream, responseStream }] of Object.entries(definition)) {
    methods.push(
      `  "${service}.${name}": {`,
      `    path: "${path}",`,
      `    requestStream: ${requestStream},`,
      `    responseStream: ${responseStream},`,
      "  },",
    );
  }
}

function addMessage(message, { field: fields, enumType: enumTypes }) {
  tags.push(`  "${message}": {`);
  for (const { name, number, type } of fields) {
    const wireType = wireTypes[type];
    if (wireType === undefined) throw new Error(`${message}.${name}: no wire type for ${type}`);
    tags.push(`    ${name}: ${number * 8 + wireType},`);
  }
  tags.push("  },");
  for (const { name, value: values } of enumTypes) {
    enums.push(`  "${message}.${name}": {`);
    for (const value of values) enums.push(`    ${value.name}: ${value.number},`);
    enums.push("  },");
  }
}
