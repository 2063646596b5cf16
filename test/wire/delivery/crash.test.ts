import { expect, test } from "vitest";
import { environmentOf, type ServingProcess, serveGatehouse } from "../../crash/gatehouse-process.ts";
import { until } from "../../crash/poll.ts";
import { startReceiver } from "../../notify/http-receiver.ts";
import { startMailServer } from "../../notify/mail-server.ts";
import { createTestDatabase, type Engine, engines } from "../../support/databases.ts";
import { ADMIN_TOKEN } from "../../support/test-config.ts";
import { expectRowsToMatchTheLog } from "../../support/test-server.ts";
import { asking } from "../settings/wire.ts";
import { person } from "../users/wire.ts";
import { codeIn, mailTo, textTo } from "./post.ts";

const owner = { token: ADMIN_TOKEN };

/** A database, and as many lives of a server on it as it takes. */
async function openHouse(engine: Engine, environment: Record<string, string>) {
  const database = await createTestDatabase(engine);
  return {
    live: () => serveGatehouse({ ...environmentOf(database.config), ...environment }),
    close: async (last: ServingProcess) => {
      last.signal("SIGTERM");
      await last.exit;
      await expectRowsToMatchTheLog(database);
      await database.remove();
    },
  };
}

const add = ({ url }: { url: string }, name: string, phone?: string) =>
  asking(
    { url },
    "user",
    owner,
  )("AddHumanUser", {
    ...person(name, { email: { email: `${name}@example.com`, isVerified: phone !== undefined } }),
    ...(phone === undefined ? {} : { phone: { phone, sendCode: {} } }),
  });

test.each(engines)(
  "killed on %s with messages still to be sent: they arrive in the next life",
  async (engine) => {
    // Nobody is there in the first life.
    const away = await startMailServer();
    await away.close();
    const house = await openHouse(engine, {
      GATEHOUSE_SMTP_URL: `smtp://127.0.0.1:${away.port}`,
      GATEHOUSE_SMTP_FROM: "Gatehouse <no-reply@example.com>",
    });
    const names = ["ada", "bea", "cleo"];
    const first = await house.live();
    await Promise.all(names.map((name) => add(first, name)));
    // Whoever is tried at the moment of the kill has a lease to wait for, with PostgreSQL; here nobody is.
    const deferred = () =>
      first.logs.filter(({ msg, outcome }) => msg === "notification" && outcome === "deferred");
    await until("attempts in vain", () => deferred().length >= 3);
    await first.kill();
    const mails = await startMailServer({ port: away.port });
    const second = await house.live();
    for (const name of names) {
      expect(codeIn(await mailTo(mails, `${name}@example.com`))).toMatch(/^[A-Z0-9]{6}$/);
    }
    expect(mails.mails).toHaveLength(3);
    await house.close(second);
  },
);

test("killed the moment a caller has the answer: what was acknowledged arrives", async () => {
  const mails = await startMailServer();
  const house = await openHouse("pglite", {
    GATEHOUSE_SMTP_URL: `smtp://127.0.0.1:${mails.port}`,
    GATEHOUSE_SMTP_FROM: "no-reply@example.com",
  });
  const first = await house.live();
  const acknowledged: string[] = [];
  const adding = Array.from({ length: 6 }, (_, index) => `reader-${index}`).map((name) =>
    add(first, name).then(
      () => acknowledged.push(name),
      () => undefined,
    ),
  );
  await Promise.race(adding);
  await first.kill();
  await Promise.all(adding);
  const second = await house.live();
  for (const name of acknowledged) await mailTo(mails, `${name}@example.com`);
  await house.close(second);
});

test("killed in the middle of sending, the embedded server sends again at once, under the same name", async () => {
  const texts = await startReceiver((_, count) => (count === 1 ? "silence" : { status: 200 }));
  const house = await openHouse("pglite", {
    GATEHOUSE_SMS_WEBHOOK_URL: texts.url,
    GATEHOUSE_SMS_WEBHOOK_SIGNING_KEY: "key-of-the-environment",
  });
  const first = await house.live();
  await add(first, "dora", "+41790000001");
  const tried = await textTo(texts, "+41790000001");
  await first.kill();
  const second = await house.live();
  const again = await textTo(texts, "+41790000001", [tried.request]);
  expect(again.code).toBe(tried.code);
  expect(again.request.headers["idempotency-key"]).toBe(tried.request.headers["idempotency-key"]);
  await until("the line in the log", () => second.logs.find(({ msg }) => msg === "notification"));
  expect(second.logs.find(({ msg }) => msg === "notification")).toMatchObject({
    outcome: "sent",
    attempt: 2,
  });
  expect(second.stdout()).not.toContain(again.code);
  await house.close(second);
});
