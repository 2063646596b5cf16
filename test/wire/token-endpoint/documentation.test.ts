import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, beforeAll, test } from "vitest";
import { type House, startHouse } from "../../support/fixtures.ts";
import { asking } from "../users/wire.ts";
import { expectGood, FAR } from "./service-accounts.ts";

let house: House;
let directory: string;
beforeAll(async () => {
  house = await startHouse("pglite");
  directory = await mkdtemp(join(tmpdir(), "gatehouse-documentation-"));
});
afterAll(async () => {
  await house.close();
  await rm(directory, { recursive: true });
});

test("the program in the documentation signs in with the file AddKey answers", async () => {
  const ask = asking(house, house.cast.owner);
  const machine = { organizationId: house.cast.home.id, machine: { name: "Reporter" } };
  const { id: userId } = (await ask("CreateUser", machine)) as { id: string };
  const { keyContent } = await ask("AddKey", { userId, expirationDate: FAR });
  await writeFile(join(directory, "key.json"), Buffer.from(keyContent as string, "base64"));

  const document = await readFile(new URL("../../../docs/service-accounts.md", import.meta.url), "utf8");
  const program = /```js\n([\s\S]+?)```/.exec(document)![1]!;
  await writeFile(
    join(directory, "program.mjs"),
    // What it prints is for people.
    program
      .replaceAll("https://auth.example.com", house.url)
      .replace("await answer.json()", "await answer.text()"),
  );
  const { stdout } = await promisify(execFile)(process.execPath, ["program.mjs"], { cwd: directory });
  await expectGood(house, JSON.parse(stdout).access_token, userId);
});
