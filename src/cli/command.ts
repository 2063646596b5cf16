import { parseArgs } from "node:util";
import type { Flags, OptionName } from "../config.ts";
import { describeOption, nearestName, optionNames } from "../config.ts";

/** One command of the `gatehouse` binary. */
export type Command = {
  name: string;
  /** One line for the list of commands, starting in lower case. */
  summary: string;
  /** Paragraphs for `--help`. */
  description: readonly string[];
  /** The words it may be followed by, each with its meaning; exactly one must be given if there are any. */
  actions?: Readonly<Record<string, string>>;
  /** The options of `config.ts` it takes as flags. */
  options: readonly OptionName[];
  /** Its own flags without a value, each with its meaning; `--help` comes by itself. */
  switches: Readonly<Record<string, string>>;
  /**
   * Does it.
   * @returns the exit code
   * @throws whatever `explainFailure` can put into words
   */
  run(call: Call): Promise<number>;
};

/** A command line, taken apart. */
export type Call = { action: string | undefined; flags: Flags; switches: ReadonlySet<string> };

/** The command line makes no sense; exit code 2. The message is a sentence for whoever typed it. */
export class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint: string) {
    super(message);
    this.name = "UsageError";
    this.hint = hint;
  }
}

/**
 * Takes the arguments after a command's name apart.
 * @throws UsageError for anything the command does not know; it never repeats a value, which may be a secret
 */
export function parseCommandLine(command: Command, args: readonly string[]): Call {
  const valued = new Set(command.options.map((name) => describeOption(name).flag.slice(2)));
  const bare = new Set([...Object.keys(command.switches), "help"]);
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries([
      ...[...valued].map((flag) => [flag, { type: "string" as const }]),
      ...[...bare].map((flag) => [flag, { type: "boolean" as const }]),
    ]),
    // Our own sentences below say more than the ones strict mode throws.
    strict: false,
    tokens: true,
  });

  const hint = `see "gatehouse ${command.name} --help"`;
  const flags: Flags = {};
  const switches = new Set<string>();
  const words: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") words.push(token.value);
    if (token.kind !== "option") continue;
    if (bare.has(token.name)) {
      if (token.value !== undefined) throw new UsageError(`${token.rawName} takes no value`, hint);
      switches.add(token.name);
    } else if (valued.has(token.name)) {
      // "--listen --json": the second is hardly meant to be an address.
      if (token.value === undefined || (!token.inlineValue && token.value.startsWith("-"))) {
        throw new UsageError(`${token.rawName} needs a value`, hint);
      }
      flags[token.name] = token.value;
    } else {
      throw new UsageError(...unknownFlag(command, token.rawName, [...valued, ...bare]));
    }
  }
  if (switches.has("help")) return { action: undefined, flags, switches };
  return { action: chosenAction(command, words, hint), flags, switches };
}

function unknownFlag(command: Command, rawName: string, known: string[]): [message: string, hint: string] {
  const secret = optionNames.map(describeOption).find(({ flag }) => flag === `${rawName}-file`);
  if (secret?.fileVariable && command.options.includes(secret.name)) {
    return [
      `${rawName} is not a flag, because everybody on a machine can read its command lines`,
      `set ${secret.variable}, or put it into a file and give ${secret.flag}`,
    ];
  }
  const nearest = nearestName(rawName.replace(/^-+/, ""), known);
  return [
    `${command.name} has no flag ${rawName}`,
    nearest ? `did you mean --${nearest}?` : `see "gatehouse ${command.name} --help"`,
  ];
}

function chosenAction(command: Command, words: string[], hint: string): string | undefined {
  const actions = Object.keys(command.actions ?? {});
  const [action, extra] = actions.length === 0 ? [undefined, words[0]] : words;
  if (extra !== undefined)
    throw new UsageError(`${command.name} does not know what to do with "${extra}"`, hint);
  if (actions.length > 0 && (action === undefined || !actions.includes(action))) {
    const given = action === undefined ? "" : `, not "${action}"`;
    throw new UsageError(`${command.name} needs one of: ${actions.join(", ")}${given}`, hint);
  }
  return action;
}
