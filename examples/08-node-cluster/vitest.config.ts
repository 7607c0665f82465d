import { defineProject } from "vitest/config";
import { fromSource } from "../../vitest.project.ts";

export default defineProject(fromSource);
