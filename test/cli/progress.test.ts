import { expect, test } from "vitest";
import { printProgress } from "../../src/cli/progress.ts";

function printed(isTTY: boolean) {
  const writes: string[] = [];
  let nowMs = 0;
  const stream = { isTTY, write: (text: string) => writes.push(text) };
  const wait = (ms: number) => {
    nowMs += ms;
  };
  return { writes, wait, progress: printProgress(stream, () => nowMs) };
}

test("a terminal sees what is being done before it is done", () => {
  const { writes, wait, progress } = printed(true);
  progress.step("creating the database");
  expect(writes).toEqual(["creating the database… "]);
  wait(2_100);
  progress.step("starting to listen");
  progress.finish();
  progress.finish();
  expect(writes.join("")).toBe("creating the database… done in 2.1 s\nstarting to listen… done in 0.0 s\n");
});

test("elsewhere every write is a whole line", () => {
  const { writes, wait, progress } = printed(false);
  progress.step("creating the database");
  expect(writes).toEqual([]);
  wait(2_100);
  progress.finish();
  expect(writes).toEqual(["creating the database… done in 2.1 s\n"]);
});

test("a step that failed does not claim to be done", () => {
  const { writes, progress } = printed(true);
  progress.step("creating the database");
  progress.finish("failed");
  expect(writes.join("")).toBe("creating the database… failed after 0.0 s\n");
});
