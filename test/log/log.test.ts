import { spawn } from "node:child_process";
import { once } from "node:events";
import { pino } from "pino";
import { expect, test } from "vitest";
import { createBatchingLogger, infoLine } from "../../src/log.ts";

/** Runs a script with a logger of the product on standard output. @returns its lines and how it ended */
async function run(script: string): Promise<{ lines: string[]; code: number | null }> {
  const source = `
    import { createLogger } from "${new URL("../../src/log.ts", import.meta.url)}";
    const logger = createLogger({ logLevel: "info", logFormat: "json" });
    ${script}`;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", source], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    output += text;
  });
  const [code] = (await once(child, "close")) as [number | null];
  return {
    lines: output
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => JSON.parse(line).msg),
    code,
  };
}

test.each([
  ["that has nothing left to do", "", 0],
  ["that exits", "process.exit(3);", 3],
  ["that an exception ends", 'throw new Error("broken");', 1],
  ["that a rejection ends", 'Promise.reject(new Error("broken"));', 1],
])("a process %s has written every line", async (_, end, code) => {
  const ended = await run(`for (let line = 0; line < 2_000; line++) logger.info(String(line)); ${end}`);
  expect(ended.code).toBe(code);
  expect(ended.lines).toEqual(Array.from({ length: 2_000 }, (_, line) => String(line)));
});

test("a process that is killed within a turn has written what came before an error", async () => {
  const { lines } = await run(
    'logger.info("1"); logger.error("2"); logger.info("3"); process.kill(process.pid, "SIGKILL");',
  );
  expect(lines).toEqual(["1", "2"]);
});

test("lines of one turn are one write, of the next turn another", async () => {
  const writes: string[] = [];
  const logger = createBatchingLogger({ base: null }, { write: (text) => writes.push(text) });
  logger.info("1");
  logger.info("2");
  expect(writes).toEqual([]);
  await new Promise(setImmediate);
  logger.info("3");
  await new Promise(setImmediate);
  expect(
    writes.map((text) =>
      text
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line).msg),
    ),
  ).toEqual([["1", "2"], ["3"]]);
});

test("many lines of one turn are written in pieces that a pipe takes whole", async () => {
  const writes: string[] = [];
  const logger = createBatchingLogger({ base: null }, { write: (text) => writes.push(text) });
  for (let line = 0; line < 500; line++) logger.info(String(line));
  await new Promise(setImmediate);
  expect(writes.length).toBeGreaterThan(1);
  for (const text of writes) expect([text.length <= 4_096, text.at(-1)]).toEqual([true, "\n"]);
  const lines = writes.join("").trim().split("\n");
  expect(lines.map((line) => Number(JSON.parse(line).msg))).toEqual(Array.from({ length: 500 }, (_, n) => n));
});

test("a line written by hand is the one pino would have written", () => {
  const lines: string[] = [];
  const logger = pino({ level: "info" }, { write: (line: string) => lines.push(line) }).child({ node: 1 });
  logger.info({ method: "a.B/C", durationMs: 0.5 }, "call");
  infoLine(logger, '"method":"a.B/C","durationMs":0.5', "call");
  const [byPino, byHand] = lines.map((line) => line.replace(/"time":\d+/, ""));
  expect(byHand).toBe(byPino);
  logger.level = "warn";
  infoLine(logger, '"method":"a.B/C"', "call");
  expect(lines).toHaveLength(2);
});
