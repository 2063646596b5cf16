import { afterEach } from "vitest";
import { cleanUpLeftovers } from "./leftovers.ts";

// Evaluated anew for each file, which is what it is for.
afterEach(cleanUpLeftovers);
