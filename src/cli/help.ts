import { describeOption } from "../config.ts";
import type { Command } from "./command.ts";

/** Every line of help fits a terminal of this width. */
const columns = 80;

/** What `gatehouse --help` prints. */
export function overview(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length));
  return lines(
    "Gatehouse, a session server: signs people in, hands out session tokens, and",
    "ends a session so that it is over everywhere, at once.",
    "",
    "Usage: gatehouse <command> [flags]",
    "       gatehouse <command> --help",
    "       gatehouse --version",
    "",
    "Commands:",
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`),
    "",
    'Start with "gatehouse serve": without any setting it serves on an embedded',
    "database in ./data.",
  );
}

/** What `gatehouse <command> --help` prints. */
export function commandHelp(command: Command): string {
  const actions = Object.entries(command.actions ?? {});
  const switches = Object.entries({ ...command.switches, help: "Print this." });
  return lines(
    `gatehouse ${command.name}: ${command.summary}`,
    "",
    `Usage: gatehouse ${command.name}${actions.length > 0 ? ` ${actions.map(([name]) => name).join("|")}` : ""} [flags]`,
    ...command.description.flatMap((paragraph) => ["", ...wrap(paragraph, 0)]),
    ...(actions.length > 0
      ? ["", ...actions.flatMap(([name, meaning]) => [`  ${name}`, ...wrap(meaning, 6)])]
      : []),
    "",
    "Flags:",
    ...switches.flatMap(([name, meaning]) => [`  --${name}`, ...wrap(meaning, 6)]),
    ...(command.options.length > 0
      ? [
          "",
          "Options; the variable does the same as the flag, and a flag wins:",
          ...command.options.flatMap(optionHelp),
        ]
      : []),
  );
}

function optionHelp(name: Command["options"][number]): string[] {
  const { flag, variable, fileVariable, allowed, fallback, fallbackMeaning, meaning } = describeOption(name);
  return [
    `  ${flag} ${fileVariable ? "<path>" : "<value>"}`,
    ...wrap(`${fileVariable ? `${fileVariable}, or the value itself in ${variable}` : variable}`, 6),
    ...wrap(meaning, 6),
    ...wrap(`${fileVariable ? "The file holds" : "Give"} ${allowed}.`, 6),
    ...wrap(`Default: ${fallback ?? fallbackMeaning}.`, 6),
  ];
}

const lines = (...all: string[]): string => `${all.join("\n")}\n`;

function wrap(text: string, indent: number): string[] {
  const wrapped: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && indent + line.length + 1 + word.length > columns) {
      wrapped.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...wrapped, line].map((each) => " ".repeat(indent) + each);
}
