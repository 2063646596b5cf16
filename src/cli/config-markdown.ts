import { describeOption, optionNames } from "../config.ts";

/** The whole of docs/configuration.md. */
export function configMarkdown(): string {
  return `# Configuration

<!-- Printed by \`gatehouse config --markdown\` from src/config.ts; change it there. -->

Nothing has to be set: \`npm start\` serves on 127.0.0.1:8080 with an embedded database in \`./data\`.

Every option is an environment variable and a flag of \`gatehouse serve\`; a flag wins over its variable, and an empty
variable counts as unset. A value that is not allowed stops the start with one line that names it. \`gatehouse config\`
prints what is in force and where it comes from.

${optionNames.map(section).join("\n\n")}
`;
}

function section(name: (typeof optionNames)[number]): string {
  const { variable, fileVariable, flag, allowed, fallback, fallbackMeaning, meaning } = describeOption(name);
  const secret = fileVariable
    ? `\n- Instead: \`${fileVariable}\` or \`${flag}\`, the path of a file that holds the value. There is no flag for the value itself, since command lines are public on a machine.`
    : "";
  return `## ${variable}

${meaning}

- Flag: \`${flag}\`${secret}
- Allowed: ${allowed.replaceAll("*", "\\*")}
- Default: ${fallback === undefined ? fallbackMeaning : `\`${fallback}\``}`;
}
