import { describe, expect, onTestFinished, test } from "vitest";
import type { Config } from "../../../src/config.ts";
import { isSigned, startReceiver } from "../../notify/http-receiver.ts";
import { startMailServer } from "../../notify/mail-server.ts";
import { engines } from "../../support/databases.ts";
import { startTestServer, type TestServerOptions } from "../../support/test-server.ts";
import { asking } from "../settings/wire.ts";
import { person } from "../users/wire.ts";
import { codeIn, mailsGoTo, mailTo, textTo } from "./post.ts";

type Engine = (typeof engines)[number];

async function start(engine: Engine, options: TestServerOptions) {
  const server = await startTestServer(engine, options);
  onTestFinished(() => server.close());
  return { ...server, owner: { token: server.adminToken } };
}

const add = (url: string, owner: { token: string }, name: string, phone?: string) =>
  asking(
    { url },
    "user",
    owner,
  )("AddHumanUser", {
    ...person(name, { email: { email: `${name}@example.com` } }),
    ...(phone === undefined ? {} : { phone: { phone, sendCode: {} } }),
  });

describe.each(engines)("providers of the environment on %s", (engine) => {
  test("send what no activated provider does", async () => {
    const [configured, activated] = [await startMailServer(), await startMailServer()];
    const texts = await startReceiver();
    const config: Partial<Config> = {
      smtpUrl: `smtp://127.0.0.1:${configured.port}`,
      smtpFrom: "From the environment <env@example.com>",
      smsWebhookUrl: `${texts.url}/sms`,
      smsWebhookSigningKey: "key-of-the-environment",
    };
    const { url, owner } = await start(engine, { config });

    await add(url, owner, "first", "+41790000001");
    const mail = await mailTo(configured, "first@example.com");
    expect(mail.headers.from).toBe("From the environment <env@example.com>");
    expect(codeIn(mail)).toMatch(/^[A-Z0-9]{6}$/);
    const sms = await textTo(texts, "+41790000001");
    expect(isSigned(sms.request, "key-of-the-environment")).toBe(true);
    expect(sms.message.contextInfo).toMatchObject({ provider: { id: "environment", description: "" } });

    const id = await mailsGoTo({ url }, owner, activated);
    await add(url, owner, "second");
    await mailTo(activated, "second@example.com");
    await asking({ url }, "admin", owner)("DeactivateEmailProvider", { id });
    await add(url, owner, "third");
    await mailTo(configured, "third@example.com");
    expect([configured.mails.length, activated.mails.length]).toEqual([2, 1]);
  });
});

describe("several servers on one database", () => {
  test("send each message once, whoever stored it", async () => {
    const mails = await startMailServer();
    const config = { smtpUrl: `smtp://127.0.0.1:${mails.port}`, smtpFrom: "a@b.example" };
    const server = {
      delivery: { timing: { pollMs: { least: 1, most: 5 } } },
    };
    const { url, owner, startAnother } = await start("postgres", { config, server });
    const other = await startAnother();
    const names = Array.from({ length: 24 }, (_, index) => `reader-${index}`);
    await Promise.all(names.map((name, index) => add(index % 2 ? url : other.url, owner, name)));
    for (const name of names) await mailTo(mails, `${name}@example.com`);
    expect(mails.mails.flatMap(({ to }) => to).sort()).toEqual(
      names.map((name) => `${name}@example.com`).sort(),
    );
  });

  test("take over what another one left when it stopped", async () => {
    const mails = await startMailServer();
    await mails.close();
    const config = { smtpUrl: `smtp://127.0.0.1:${mails.port}`, smtpFrom: "a@b.example" };
    const server = { delivery: { timing: { retryAfterMs: () => 20, pollMs: { least: 1, most: 5 } } } };
    const { url, owner, startAnother } = await start("postgres", { config, server });
    const other = await startAnother();
    await add(other.url, owner, "left-behind");
    await other.close();
    const back = await startMailServer({ port: mails.port });
    await mailTo(back, "left-behind@example.com");
    expect(url).not.toBe(other.url);
  });
});

test("a server without anything to count says so to Prometheus in its own format", async () => {
  const { url } = await start("pglite", {});
  const answer = await fetch(`${url}/debug/metrics`);
  expect(answer.status).toBe(200);
  expect(answer.headers.get("content-type")).toBe("text/plain; version=0.0.4; charset=utf-8");
  const [, about = ""] = (await answer.text()).split(/(?=# HELP gatehouse_notifications_pending)/);
  expect(
    about
      .split(/(?=# HELP )/)
      .slice(0, 2)
      .join(""),
  ).toBe(
    `# HELP gatehouse_notifications_pending Messages that are still to be sent.
# TYPE gatehouse_notifications_pending gauge
# HELP gatehouse_notifications_total What became of attempts to send a message: sent, deferred, failed or dropped.
# TYPE gatehouse_notifications_total counter
`,
  );
  expect((await fetch(`${url}/debug/metrics`, { method: "HEAD" })).status).toBe(200);
  const posted = await fetch(`${url}/debug/metrics`, { method: "POST" });
  expect([posted.status, posted.headers.get("allow")]).toEqual([405, "GET, HEAD"]);
});
