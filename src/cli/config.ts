import { effectiveSettings, optionNames } from "../config.ts";
import type { Command } from "./command.ts";
import { configMarkdown } from "./config-markdown.ts";

/** `gatehouse config`: the options in force and where each came from; secrets are named, never shown. */
export const config: Command = {
  name: "config",
  summary: "print the configuration in force, and where it comes from",
  description: [
    'Takes the same flags and variables as "gatehouse serve" and refuses what that would refuse, so it also checks a configuration before a deployment. Secrets are never printed.',
  ],
  options: optionNames,
  switches: {
    json: "Print it as JSON.",
    markdown: "Print the documentation of every option as Markdown.",
  },
  async run({ flags, switches }) {
    if (switches.has("markdown")) {
      process.stdout.write(configMarkdown());
      return 0;
    }
    const settings = effectiveSettings(process.env, flags);
    if (switches.has("json")) {
      const entries = settings.map(({ name, value, source }) => [name, { value: value ?? null, source }]);
      console.log(JSON.stringify(Object.fromEntries(entries), undefined, 2));
      return 0;
    }
    const width = Math.max(...settings.map(({ variable }) => variable.length));
    for (const { variable, value, source, fallbackMeaning } of settings) {
      const from = source === "default" ? "" : source === variable ? "  (environment)" : `  (${source})`;
      console.log(`${variable.padEnd(width)}  ${value ?? `unset: ${fallbackMeaning}`}${from}`);
    }
    return 0;
  },
};
